/** Named arrays and JSON in one safetensors blob: what the page and its server or notebook exchange. */

/** @typedef {Float32Array | Float64Array | Int32Array | Uint8Array} Numbers */
/** @typedef {{data: Numbers, shape: number[]}} Tensor */
/** @typedef {Record<string, Tensor>} Tensors */

/** @type {Record<string, any>} */
const KINDS = { F32: Float32Array, F64: Float64Array, I32: Int32Array, U8: Uint8Array, BOOL: Uint8Array };

/** @param {Numbers} data */
const kindOf = (data) => Object.keys(KINDS).find((kind) => data instanceof KINDS[kind]);

/** @param {Numbers} data @param {...number} shape @returns {Tensor} */
export const tensor = (data, ...shape) => ({ data, shape });

/** Rows of numbers, all of one length, as a tensor of float32.
 * @param {ArrayLike<number>[]} rows @returns {Tensor} */
export function matrix(rows) {
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => data.set(row, i * width));
  return tensor(data, rows.length, width);
}

/** @param {Tensors} arrays @param {object} info @returns {Uint8Array} */
export function pack(arrays, info) {
  /** @type {Record<string, any>} */
  const header = { __metadata__: { json: JSON.stringify(info) } };
  const names = Object.keys(arrays).sort((a, b) => arrays[b].data.BYTES_PER_ELEMENT - arrays[a].data.BYTES_PER_ELEMENT);
  let end = 0;
  for (const name of names) {
    const { data, shape } = arrays[name];
    header[name] = { dtype: kindOf(data), shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  let text = JSON.stringify(header);
  let words = new TextEncoder().encode(text);
  if (words.length % 8) words = new TextEncoder().encode(text + " ".repeat(8 - (words.length % 8)));
  const blob = new Uint8Array(8 + words.length + end);
  new DataView(blob.buffer).setBigUint64(0, BigInt(words.length), true);
  blob.set(words, 8);
  for (const name of names) {
    const { data } = arrays[name];
    blob.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 8 + words.length + header[name].data_offsets[0]);
  }
  return blob;
}

/** @param {ArrayBuffer} buffer @returns {{arrays: Tensors, info: any}} */
export function unpack(buffer) {
  const size = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const info = JSON.parse(header.__metadata__?.json ?? "{}");
  /** @type {Tensors} */
  const arrays = {};
  for (const name of Object.keys(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [from, to] } = header[name];
    arrays[name] = { data: new KINDS[dtype](buffer.slice(8 + size + from, 8 + size + to)), shape };
  }
  return { arrays, info };
}
