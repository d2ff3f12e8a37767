/** The numbers of the page as those that a model's graphs take, and back: see `layout` in export/page_contents.py. */
import { tensor } from "../safetensors.js";

/** @typedef {import("../safetensors.js").Tensor} Tensor */

const WANTED = {
  positive: ["above 0", (/** @type {number} */ v) => v > 0],
  count: ["0, 1, 2, ...", (/** @type {number} */ v) => v >= 0 && Number.isInteger(v)],
  share: ["from 0 to 1", (/** @type {number} */ v) => v >= 0 && v <= 1],
};

export class Layout {
  /** @param {any} info @param {ArrayLike<number> | undefined} order of a model's number i, its place in the page's datum */
  constructor(info, order) {
    this.kind = info.model.kind;
    this.shape = info.model.shape;
    this.size = this.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
    this.order = order;
    this.given = info.layout;
    this.conditions = info.model.covariates;
    this.names = info.model.columns.map((/** @type {any} */ column) => column.name);
  }

  /** Rows that the graphs take; of a series, for each step the window that ends in it.
   * @param {Tensor} x @param {boolean} missing whether NaN is a missing cell @returns {Tensor} */
  toModel(x, missing = this.given.missing) {
    const { kind, size } = this;
    const wanted = kind === "series" ? [1] : this.shape;
    if (x.shape.slice(1).join() !== wanted.join()) throw new Error(`each row of x has shape ${x.shape.slice(1)}; this model takes ${wanted}`);
    const n = x.shape[0];
    if (!missing && Array.from(x.data).some(Number.isNaN)) throw new Error("x contains NaN: this model takes no missing cells");
    if (kind === "series") return tensor(this.windows(x.data, Array.from({ length: n }, (_, i) => i)).data, n, size);
    const found = new Float32Array(n * size);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < size; j++) found[i * size + j] = kind === "table" ? this.cell(j, x.data[i * size + j]) : this.number(x.data[i * size + this.order[j]]);
    return tensor(found, n, ...(this.given.event ?? [size]));
  }

  /** @param {number} value */
  number(value) {
    return this.given.top === 1 ? value : Math.round(value * this.given.top);
  }

  /** A cell of a table, checked. @param {number} j @param {number} value */
  cell(j, value) {
    const { origin, scale, high, measurement, categories } = this.given.columns[j];
    const [words, fits] = WANTED[/** @type {keyof typeof WANTED} */ (measurement)] ?? [];
    const inside = categories ? Number.isInteger(value) && value >= 0 && value <= high : !fits || /** @type {any} */ (fits)(value);
    if (!Number.isNaN(value) && !inside) throw new Error(`column ${this.names[j]} holds ${value}: give ${categories ? `the index of a category, 0 to ${high}` : words}`);
    return (value - origin) / scale;
  }

  /** What the decoder gave as rows of the page. @param {Float32Array} x @param {number} n @returns {Tensor} */
  fromModel(x, n) {
    const { kind, size } = this;
    if (kind === "series") return tensor(x, n, ...this.shape);
    const found = kind === "table" ? new Float64Array(n * size) : new Float32Array(n * size);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < size; j++) {
        const value = x[i * size + j];
        if (kind === "table") found[i * size + j] = this.shown(j, value);
        else found[i * size + this.order[j]] = value / this.given.top;
      }
    return tensor(found, n, ...this.shape);
  }

  /** A decoded number of a column as its cells are written, within the range of training. @param {number} j @param {number} value */
  shown(j, value) {
    const { origin, scale, integer, categories } = this.given.columns[j];
    const whole = categories || (integer && scale !== 1);
    return this.nearest(j, origin + scale * (whole ? Math.round(value) : value));
  }

  /** The number nearest to `found` that a cell of a column may hold. @param {number} j @param {number} found */
  nearest(j, found) {
    const { scale, low, high, integer, decimals, values, hhmm } = this.given.columns[j];
    if (values.length) {
      const i = values.findIndex((/** @type {number} */ v, /** @type {number} */ k) => k === values.length - 1 || (v + values[k + 1]) / 2 >= found);
      return values[i];
    }
    if (scale === 1 && (integer || decimals !== null)) found = Math.round(found * 10 ** (decimals ?? 0)) / 10 ** (decimals ?? 0);
    if (hhmm) {
      const hours = Math.floor(found / 100);
      const minutes = found - 100 * hours;
      found = minutes < 80 ? 100 * hours + Math.min(minutes, 59) : 100 * (hours + 1);
    }
    return Math.max(low, Math.min(high, found));
  }

  /** Covariates as the graphs read them, standardised or one-hot, (n, width); usual ones where none are given.
   * @param {Tensor | undefined} given @param {number} n @returns {Tensor} */
  covariates(given, n) {
    const rows = Array.from({ length: n }, (_, i) => this.conditions.flatMap((/** @type {any} */ { usual, mean, sd, categories }, /** @type {number} */ j) => {
      const value = given ? given.data[(given.shape[0] === 1 ? 0 : i) * this.conditions.length + j] : usual;
      return categories ? categories.map((/** @type {string} */ _, /** @type {number} */ k) => +(k === value)) : [(value - mean) / sd];
    }));
    return tensor(Float32Array.from(rows.flat()), n, rows[0].length);
  }

  /** Numbers by cell of the model in the page's layout. @param {Float32Array} cells @param {number} n @returns {Tensor} */
  ofCells(cells, n) {
    const { size, order } = this;
    if (!order) return tensor(cells, n, ...this.shape);
    const found = new Float32Array(n * size);
    for (let i = 0; i < n; i++) for (let j = 0; j < size; j++) found[i * size + order[j]] = cells[i * size + j];
    return tensor(found, n, ...this.shape);
  }

  /** The windows of a series that end in these steps; what lies before the first step is missing.
   * @param {ArrayLike<number>} series @param {number[]} ends @returns {Tensor} */
  windows(series, ends) {
    const { size } = this;
    const found = new Float64Array(ends.length * size).fill(NaN);
    ends.forEach((end, r) => {
      for (let i = Math.max(0, size - 1 - end); i < size; i++) found[r * size + i] = series[end - size + 1 + i];
    });
    return tensor(found, ends.length, size, 1);
  }
}
