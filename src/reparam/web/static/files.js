/** What the page gives away: csv, and moving pictures as GIF. */

/** @param {string} name @param {BlobPart} content @param {string} type */
export function download(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Text to the clipboard; where the browser gives none, as over plain HTTP from another machine, a file of that name.
 * @param {string} name @param {string} text */
export const copy = (name, text) => (navigator.clipboard ? navigator.clipboard.writeText(text) : download(name, text, "text/plain"));

const FORMULA = /^'*([=@\t\r]|[+-](?!(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$))/;

/** A cell, text after an apostrophe where a spreadsheet would run it. @param {any} cell */
export const inert = (cell) => (typeof cell === "string" && FORMULA.test(cell) ? `'${cell}` : String(cell));

/** @param {string} name @param {string[]} header @param {any[][]} rows */
export function saveCsv(name, header, rows) {
  /** @param {any} cell */
  const quoted = (cell) => {
    const text = inert(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  download(name, [header, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n", "text/csv");
}

/** Codes as csv. @param {string} name @param {ArrayLike<number>[]} codes */
export function saveCodes(name, codes) {
  saveCsv(name, Array.from(codes[0], (_, k) => `z${k}`), codes.map((z) => Array.from(z, (v) => +v.toFixed(5))));
}

/** Frames as an animated GIF of 216 colours and 39 greys that runs there and back.
 * @param {ImageData[]} frames @param {number} delay hundredths of a second a frame */
export function gif(frames, delay = 12) {
  const { width, height } = frames[0];
  /** @type {number[]} */
  const out = [...new TextEncoder().encode("GIF89a"), width & 255, width >> 8, height & 255, height >> 8, 0xf7, 0, 0];
  for (let i = 0; i < 256; i++) {
    if (i < 216) out.push(Math.floor(i / 36) * 51, (Math.floor(i / 6) % 6) * 51, (i % 6) * 51);
    else out.push(...new Array(3).fill(Math.round(((i - 216) * 255) / 39)));
  }
  out.push(0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  for (const frame of [...frames, ...frames.slice(1, -1).reverse()]) {
    out.push(0x21, 0xf9, 4, 0, delay & 255, delay >> 8, 0, 0, 0x2c, 0, 0, 0, 0, width & 255, width >> 8, height & 255, height >> 8, 0, 8);
    const pixels = new Uint8Array(width * height);
    for (let i = 0; i < pixels.length; i++) {
      const [r, g, b] = frame.data.subarray(4 * i, 4 * i + 3);
      const grey = Math.max(r, g, b) - Math.min(r, g, b) < 6;
      pixels[i] = grey ? 216 + Math.round((r * 39) / 255) : Math.round(r / 51) * 36 + Math.round(g / 51) * 6 + Math.round(b / 51);
    }
    const packed = compress(pixels);
    for (let i = 0; i < packed.length; i += 255) {
      const part = packed.slice(i, i + 255);
      out.push(part.length, ...part);
    }
    out.push(0);
  }
  out.push(0x3b);
  return Uint8Array.from(out);
}

/** LZW of bytes as GIF has it. @param {Uint8Array} pixels */
function compress(pixels) {
  /** @type {number[]} */
  const out = [];
  let [buffer, bits, size, next] = [0, 0, 9, 258];
  /** @type {Map<number, number>} */
  let known = new Map();
  /** @param {number} code */
  const emit = (code) => {
    buffer |= code << bits;
    for (bits += size; bits >= 8; bits -= 8, buffer >>>= 8) out.push(buffer & 255);
  };
  emit(256);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (prefix << 8) | pixels[i];
    const found = known.get(key);
    if (found !== undefined) {
      prefix = found;
      continue;
    }
    emit(prefix);
    if (next === 4096) {
      emit(256);
      known = new Map();
      [size, next] = [9, 258];
    } else {
      if (next === 1 << size) size++;
      known.set(key, next++);
    }
    prefix = pixels[i];
  }
  emit(prefix);
  emit(257);
  if (bits) out.push(buffer & 255);
  return out;
}
