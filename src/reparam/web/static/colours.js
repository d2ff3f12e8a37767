/** Colours of points and cells, the same on light and on dark paper. */

export const CLASSES = ["#4269d0", "#e69a0b", "#f0543c", "#2fa08c", "#3ca951", "#e8659b", "#9350e8", "#6d9be8", "#9c6b4e", "#b8860b",
  "#00a2c7", "#c2408c"];
const RAMP = ["#3b1f6b", "#31568f", "#1f8a8c", "#4fbf6b", "#f2d23a"].map(rgb);

/** @param {string} hex @returns {[number, number, number]} */
export function rgb(hex) {
  return /** @type {[number, number, number]} */ ([1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
}

/** The colour of a share from 0 to 1. @param {number} t @returns {[number, number, number]} */
export function ramp(t) {
  const at = Math.max(0, Math.min(0.9999, t)) * (RAMP.length - 1);
  const i = Math.floor(at);
  return /** @type {any} */ (RAMP[i].map((c, k) => Math.round(c + (at - i) * (RAMP[i + 1][k] - c))));
}

/** @param {number} i */
export const classColour = (i) => (i < 0 ? "#8a8a8a" : CLASSES[i % CLASSES.length]);

/** The low and high end of numbers between their 1st and 99th percentile. @param {ArrayLike<number>} values */
export function range(values) {
  const step = Math.max(1, Math.floor(values.length / 5000));
  const held = Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]).filter(Number.isFinite);
  held.sort((a, b) => a - b);
  if (!held.length) return [0, 1];
  const [low, high] = [0.01, 0.99].map((q) => held[Math.round(q * (held.length - 1))]);
  return low < high ? [low, high] : [low - 0.5, low + 0.5];
}

/** Bytes (n, 4) of points: by class or by number; those outside a selection are grey.
 * @param {ArrayLike<number>} values @param {boolean} discrete @param {Uint8Array | null} selected 1 where selected
 * @param {number[]} ends @param {boolean} dark */
export function bytes(values, discrete, selected, ends, dark) {
  const found = new Uint8Array(values.length * 4);
  const table = discrete ? CLASSES.map(rgb) : Array.from({ length: 256 }, (_, i) => ramp(i / 255));
  const grey = dark ? [105, 105, 110] : [185, 183, 178];
  const alpha = values.length > 50000 ? 130 : 205;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    const missing = !Number.isFinite(v) || (discrete && v < 0);
    const out = selected && !selected[i];
    const c = out || missing ? grey : discrete ? table[v % table.length] : table[Math.max(0, Math.min(255, Math.round(((v - ends[0]) / (ends[1] - ends[0])) * 255)))];
    found[4 * i] = c[0];
    found[4 * i + 1] = c[1];
    found[4 * i + 2] = c[2];
    found[4 * i + 3] = out ? 70 : alpha;
  }
  return found;
}
