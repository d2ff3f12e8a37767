/** Planes in the space of codes: two orthogonal unit vectors u and v each, and the principal directions of codes. */

import { stage } from "./store.js";

/** @typedef {{u: Float64Array, v: Float64Array}} Plane */

/** @param {number} L @param {Record<number, number>} entries @returns {Float64Array} */
function vector(L, entries) {
  const found = new Float64Array(L);
  for (const [i, value] of Object.entries(entries)) found[Number(i)] += value;
  return found;
}

/** The plane that the map shows.
 * @param {import("./store.js").State} state @param {import("./store.js").Codes} codes @returns {Plane} */
export function planeOf(state, codes) {
  const L = codes.L;
  if (state.projection === "pca" && codes.loaded > 2 && L > 1) return principal(codes);
  const [i, j] = axesOf(state, codes);
  if (L < 2) return { u: vector(Math.max(1, L), { 0: 1 }), v: new Float64Array(Math.max(1, L)) };
  if (state.projection !== "turned" || L < 3) return { u: vector(L, { [i]: 1 }), v: vector(L, { [j]: 1 }) };
  const order = byRate(codes).filter((k) => k !== i && k !== j);
  const angle = (state.turn * Math.PI) / 180;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const v = order.length > 1 ? vector(L, { [j]: c, [order[1]]: s }) : vector(L, { [j]: 1 });
  return { u: vector(L, { [i]: c, [order[0]]: s }), v };
}

/** The dimensions across and upward: those that are chosen, or of the other of two models its most telling ones.
 * @param {import("./store.js").State} state @param {import("./store.js").Codes} codes @returns {[number, number]} */
export function axesOf(state, codes) {
  if (codes.model === state.model && state.axes.every((a) => a < codes.L)) return state.axes;
  const [i, j] = codes.L === 2 ? [0, 1] : byRate(codes);
  return [i ?? 0, j ?? 0];
}

/** Dimensions, the most telling first. @param {import("./store.js").Codes} codes */
export function byRate(codes) {
  const kl = codes.kl ?? new Array(codes.L).fill(0);
  return Array.from({ length: codes.L }, (_, i) => i).sort((i, j) => (kl[j] ?? 0) - (kl[i] ?? 0));
}

/** The first two principal directions of up to 20,000 evenly spaced codes, by power iteration.
 * @param {import("./store.js").Codes} codes @returns {Plane} */
export function principal(codes) {
  const { L, mean, loaded } = codes;
  const there = stage(loaded, codes.n);
  if (cache.mean === mean && cache.there === there) return cache.plane;
  const step = Math.max(1, Math.floor(loaded / 20000));
  const centre = new Float64Array(L);
  let n = 0;
  for (let r = 0; r < loaded; r += step, n++) for (let k = 0; k < L; k++) centre[k] += mean[r * L + k];
  for (let k = 0; k < L; k++) centre[k] /= n;
  /** @param {Float64Array | null} other */
  const leading = (other) => {
    let w = Float64Array.from({ length: L }, (_, k) => Math.cos(3 * k + (other ? 2 : 1)));
    for (let round = 0; round < 40; round++) {
      const next = new Float64Array(L);
      for (let r = 0; r < loaded; r += step) {
        let dot = 0;
        for (let k = 0; k < L; k++) dot += (mean[r * L + k] - centre[k]) * w[k];
        for (let k = 0; k < L; k++) next[k] += dot * (mean[r * L + k] - centre[k]);
      }
      if (other) {
        const along = next.reduce((sum, value, k) => sum + value * other[k], 0);
        for (let k = 0; k < L; k++) next[k] -= along * other[k];
      }
      const length = Math.hypot(...next) || 1;
      const change = Math.hypot(...next.map((value, k) => value / length - w[k]));
      w = next.map((value) => value / length);
      if (change < 1e-6) break;
    }
    return w;
  };
  const u = leading(null);
  Object.assign(cache, { mean, there, plane: { u, v: leading(u) } });
  return cache.plane;
}
/** @type {{mean: Float32Array | null, there: number, plane: Plane | null}} */
const cache = { mean: null, there: 0, plane: null };

/** @param {Plane} plane @param {ArrayLike<number>} z @returns {[number, number]} */
export function project({ u, v }, z) {
  let [x, y] = [0, 0];
  for (let k = 0; k < z.length; k++) {
    x += u[k] * z[k];
    y += v[k] * z[k];
  }
  return [x, y];
}

/** The code at a point of the plane through `anchor`: what the plane does not show is the anchor's.
 * @param {Plane} plane @param {ArrayLike<number>} anchor @param {number} x @param {number} y */
export function lift(plane, anchor, x, y) {
  const [ax, ay] = project(plane, anchor);
  return Float32Array.from(anchor, (a, k) => a + plane.u[k] * (x - ax) + plane.v[k] * (y - ay));
}

/** The ellipse of two standard deviations of a diagonal Gaussian in the plane, and the codes at its four ends.
 * @param {Plane} plane @param {ArrayLike<number>} mean @param {ArrayLike<number>} sd */
export function ellipse(plane, mean, sd) {
  let [a, b, c] = [0, 0, 0];
  for (let k = 0; k < sd.length; k++) {
    const s = sd[k] * sd[k];
    a += s * plane.u[k] ** 2;
    b += s * plane.u[k] * plane.v[k];
    c += s * plane.v[k] ** 2;
  }
  const middle = (a + c) / 2;
  const spread = Math.hypot((a - c) / 2, b);
  const angle = 0.5 * Math.atan2(2 * b, a - c);
  const radii = [Math.sqrt(middle + spread), Math.sqrt(Math.max(0, middle - spread))];
  const ends = radii.flatMap((radius, which) => {
    const t = angle + (which * Math.PI) / 2;
    const [w0, w1] = [Math.cos(t), Math.sin(t)];
    return [2, -2].map((side) =>
      Float32Array.from(mean, (m, k) => m + (radius ? (side * sd[k] ** 2 * (plane.u[k] * w0 + plane.v[k] * w1)) / radius : 0)));
  });
  return { centre: project(plane, mean), radii: radii.map((r) => 2 * r), angle, ends };
}

/** Positions (n, 2) of the first n codes in the plane. @param {import("./store.js").Codes} codes @param {Plane} plane @param {number} n */
export function positions({ L, mean }, plane, n) {
  const found = new Float32Array(n * 2);
  for (let r = 0; r < n; r++) {
    let [x, y] = [0, 0];
    for (let k = 0; k < L; k++) {
      x += plane.u[k] * mean[r * L + k];
      y += plane.v[k] * mean[r * L + k];
    }
    found[2 * r] = x;
    found[2 * r + 1] = y;
  }
  return found;
}

/** Points in cells, to find the nearest. */
export class Grid {
  /** @param {Float32Array} at positions (n, 2) */
  constructor(at) {
    this.at = at;
    const n = at.length / 2;
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(n / 4))));
    this.box = boundsOf(at);
    this.starts = new Int32Array(this.side * this.side + 1);
    this.order = new Int32Array(n);
    for (let i = 0; i < n; i++) this.starts[this.cell(at[2 * i], at[2 * i + 1]) + 1]++;
    for (let c = 0; c < this.starts.length - 1; c++) this.starts[c + 1] += this.starts[c];
    const next = this.starts.slice();
    for (let i = 0; i < n; i++) this.order[next[this.cell(at[2 * i], at[2 * i + 1])]++] = i;
  }

  /** @param {number} value @param {0 | 1} axis */
  line(value, axis) {
    const [low, high] = [this.box[axis], this.box[axis + 2]];
    return Math.max(0, Math.min(this.side - 1, Math.floor(((value - low) / (high - low || 1)) * this.side)));
  }

  /** @param {number} x @param {number} y */
  cell(x, y) {
    return this.line(y, 1) * this.side + this.line(x, 0);
  }

  /** The nearest point within a radius, or -1. @param {number} x @param {number} y @param {number} radius */
  nearest(x, y, radius) {
    let [best, least] = [-1, radius * radius];
    for (let row = this.line(y - radius, 1); row <= this.line(y + radius, 1); row++)
      for (let column = this.line(x - radius, 0); column <= this.line(x + radius, 0); column++) {
        const c = row * this.side + column;
        for (let s = this.starts[c]; s < this.starts[c + 1]; s++) {
          const i = this.order[s];
          const d = (this.at[2 * i] - x) ** 2 + (this.at[2 * i + 1] - y) ** 2;
          if (d < least) [best, least] = [i, d];
        }
      }
    return best;
  }
}

/** Low x, low y, high x, high y. @param {Float32Array} at @returns {[number, number, number, number]} */
export function boundsOf(at) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < at.length; i += 2) {
    x0 = Math.min(x0, at[i]);
    x1 = Math.max(x1, at[i]);
    y0 = Math.min(y0, at[i + 1]);
    y1 = Math.max(y1, at[i + 1]);
  }
  return x0 <= x1 ? [x0, y0, x1, y1] : [-3, -3, 3, 3];
}

/** Whether a point lies inside a polygon. @param {[number, number][]} polygon @param {number} x @param {number} y */
export function inside(polygon, x, y) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [polygon[i], polygon[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

/** Points at even steps along a polyline. @param {[number, number][]} line @param {number} steps */
export function evenly(line, steps) {
  const lengths = line.slice(1).map((p, i) => Math.hypot(p[0] - line[i][0], p[1] - line[i][1]));
  const total = lengths.reduce((a, b) => a + b, 0);
  return Array.from({ length: steps }, (_, s) => {
    let left = (total * s) / (steps - 1);
    let i = 0;
    while (i < lengths.length - 1 && left > lengths[i]) left -= lengths[i++];
    const t = lengths[i] ? left / lengths[i] : 0;
    return /** @type {[number, number]} */ ([0, 1].map((k) => line[i][k] + t * (line[i + 1][k] - line[i][k])));
  });
}
