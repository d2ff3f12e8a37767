/** What the other cells of a row say of each of its cells. */
import { words } from "../pictures.js";

/** A column given the others: values in order with their probabilities, the bars of a picture, and in words what is usual; of a given
 * cell how much of the distribution is at least as far out.
 * @typedef {{values: number[], p: number[], bars: number[], usual: string, tail: number}} Judged */

const BARS = 30;

/** @param {any} info @param {number[]} x a row @param {import("../safetensors.js").Tensors} given what `conditional` answers
 * @returns {Judged[]} */
export function judge(info, x, { values, p }) {
  const C = info.columns.length;
  return info.columns.map((/** @type {any} */ column, /** @type {number} */ j) => {
    /** @type {Map<number, number>} */
    const mass = new Map();
    for (let k = 0; k < values.shape[0]; k++) {
      const [value, share] = [values.data[k * C + j], p.data[k * C + j]];
      if (share > 0) mass.set(value, (mass.get(value) ?? 0) + share);
    }
    const own = [...mass].sort((a, b) => a[0] - b[0]);
    const [held, shares] = [own.map(([v]) => v), own.map(([, share]) => share)];
    return column.categories ? ofCategories(column, held, shares, x[j]) : ofNumbers(column, held, shares, x[j]);
  });
}

/** @param {any} column @param {number[]} values @param {number[]} p @param {number} given @returns {Judged} */
function ofCategories(column, values, p, given) {
  const bars = new Array(column.categories.length).fill(0);
  values.forEach((k, i) => (bars[k] = p[i]));
  const best = bars.indexOf(Math.max(...bars));
  const tail = sum(p.filter((share) => share <= (bars[given] ?? 0) * (1 + 1e-6)));
  return { values, p, bars, tail: Number.isNaN(given) ? NaN : tail, usual: `${column.categories[best]} ${percent(bars[best])}` };
}

/** @param {any} column @param {number[]} values @param {number[]} p @param {number} given @returns {Judged} */
function ofNumbers(column, values, p, given) {
  const bars = new Array(BARS).fill(0);
  const width = (column.high - column.low || 1) / BARS;
  const spread = values.length > BARS;
  values.forEach((v, i) => {
    const half = (/** @type {number} */ k) => (spread && values[k] !== undefined ? (values[k] + v) / 2 : v);
    const [from, to] = [i ? half(i - 1) : v, half(i + 1)].map((at) => Math.max(0, Math.min(BARS - 1e-6, (at - column.low) / width)));
    if (to - from < 1e-9) bars[Math.floor(from)] += p[i];
    else for (let k = Math.floor(from); k <= to; k++) bars[k] += (p[i] * (Math.min(to, k + 1) - Math.max(from, k))) / (to - from);
  });
  const tail = Math.min(1, 2 * Math.min(sum(p.filter((_, i) => values[i] <= given)), sum(p.filter((_, i) => values[i] >= given))));
  const [low, high] = [0.1, 0.9].map((share) => {
    let left = share;
    return values[p.findIndex((each) => (left -= each) <= 0)] ?? values[values.length - 1];
  });
  const usual = low === high ? words(column, low) : `${words(column, low)} to ${words(column, high)}`;
  return { values, p, bars, tail: Number.isNaN(given) ? NaN : tail, usual };
}

/** @param {number[]} each */
const sum = (each) => each.reduce((a, b) => a + b, 0);

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(share > 0.995 || share < 0.0005 || share >= 0.1 ? 0 : 1)} %`;

/** A small share in words. @param {number} share */
export const oneIn = (share) => (share < 0.001 ? "below 1 in 1000" : `1 in ${Math.round(1 / share)}`);
