/** Answers from what a page in one file holds: the graphs of a model, run by onnxruntime, and its data. */
import { tensor, unpack } from "../safetensors.js";
import { Layout } from "./layout.js";
import { normals, uniform } from "./random.js";

/** @typedef {import("../safetensors.js").Tensors} Tensors */
/** @typedef {{arrays: Tensors, info: any}} Answer */

/** Turns between a window's code and its missing steps, as in evaluation/anomaly.py. */
const TURNS = 10;

/** Base64 of gzip as bytes. @param {string} text @returns {Promise<ArrayBuffer>} */
export async function unzipped(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** @param {ArrayBuffer} blob what `export_page` wrote @param {() => Promise<{code: ArrayBuffer, wasm: ArrayBuffer}>} runtime
 * @returns {import("../store.js").Answerer} */
export function connect(blob, runtime) {
  const { arrays, info } = unpack(blob);
  /** @type {Promise<any> | null} */
  let started = null;
  const begin = () => (started ??= start(runtime));
  /** @type {Promise<any>} */
  let last = Promise.resolve();
  /** One run after another. @template T @param {() => Promise<T>} run @returns {Promise<T>} */
  const queued = (run) => {
    const next = last.then(run);
    last = next.catch(() => {});
    return next;
  };
  const models = info.models.map((/** @type {any} */ each, /** @type {number} */ m) => new Held(each, part(arrays, `${m}.`), begin, queued));
  return {
    async ask(verb, given = {}, options = {}) {
      const model = models[/** @type {any} */ (options).model ?? 0];
      if (!model.verbs.includes(verb)) throw new Error(`this page does not answer ${verb}`);
      return model[verb](given, options);
    },
  };
}

/** onnxruntime, on one thread. @param {() => Promise<{code: ArrayBuffer, wasm: ArrayBuffer}>} runtime */
async function start(runtime) {
  const { code, wasm } = await runtime();
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const ort = await import(address);
  URL.revokeObjectURL(address);
  Object.assign(ort.env.wasm, { numThreads: 1, proxy: false, wasmBinary: wasm });
  ort.env.logLevel = "error";
  return ort;
}

/** The arrays whose names begin so, without that beginning. @param {Tensors} arrays @param {string} prefix @returns {Tensors} */
const part = (arrays, prefix) =>
  Object.fromEntries(Object.entries(arrays).filter(([name]) => name.startsWith(prefix)).map(([name, array]) => [name.slice(prefix.length), array]));

/** Rows `from` to `to` of a tensor. @param {import("../safetensors.js").Tensor} t @param {number} from @param {number} to */
function rows(t, from, to) {
  const size = t.shape.slice(1).reduce((a, b) => a * b, 1);
  return tensor(/** @type {any} */ (t.data).slice(from * size, to * size), to - from, ...t.shape.slice(1));
}

/** Chosen rows of a tensor. @param {import("../safetensors.js").Tensor} t @param {ArrayLike<number>} index */
function chosen(t, index) {
  const size = t.shape.slice(1).reduce((a, b) => a * b, 1);
  const data = new /** @type {any} */ (t.data.constructor)(index.length * size);
  for (let r = 0; r < index.length; r++) data.set(t.data.subarray(index[r] * size, (index[r] + 1) * size), r * size);
  return tensor(data, index.length, ...t.shape.slice(1));
}

/** One model: its methods are the verbs. */
class Held {
  /** @param {any} info @param {Tensors} arrays @param {() => Promise<any>} begin
   * @param {(run: () => Promise<any>) => Promise<any>} queued */
  constructor(info, arrays, begin, queued) {
    this.info = info;
    this.arrays = arrays;
    this.begin = begin;
    this.queued = queued;
    this.verbs = info.model.verbs;
    this.layout = new Layout(info, arrays.order?.data);
    this.data_ = part(arrays, "rows.");
    this.n = this.data_.y?.shape[0] ?? 0;
    /** @type {Record<string, Promise<any>>} */
    this.sessions = {};
    /** @type {Float64Array | null} */
    this.sorted = null;
  }

  /** The outputs of a graph. @param {string} name @param {Record<string, import("../safetensors.js").Tensor>} given */
  async run(name, given) {
    const ort = await this.begin();
    const bytes = (/** @type {string} */ key) => new Uint8Array(this.arrays[key].data.buffer);
    this.sessions[name] ??= this.queued(() =>
      ort.InferenceSession.create(bytes(`graph.${name}`), { executionProviders: ["wasm"], externalData: [{ path: "weights", data: bytes("weights") }] }));
    const session = await this.sessions[name];
    /** @type {Record<string, any>} */
    const feeds = {};
    for (const key of this.info.graphs[name].takes) {
      if (!given[key]) throw new Error(key === "y" ? "a class is needed: this model is conditional on it" : `the array ${key} is missing`);
      const { data, shape } = given[key];
      feeds[key] = key === "y" && data instanceof Int32Array ? new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape) : new ort.Tensor("float32", Float32Array.from(data), shape);
    }
    const found = await this.queued(() => session.run(feeds));
    return Object.fromEntries(this.info.graphs[name].gives.map((/** @type {string} */ key) => [key, found[key].data]));
  }

  /** @returns {Answer} */
  model() {
    return { arrays: {}, info: this.info.model };
  }

  /** Rows of numbers, checked, and the class of each where one is given. @param {Tensors} given
   * @param {boolean} [missing] whether NaN is a missing cell, though training had none */
  asked(given, missing) {
    if (!given.x) throw new Error("the array x is missing");
    const x = this.layout.toModel(given.x, missing);
    const n = x.shape[0];
    return { x, n, y: this.classes(given, n) };
  }

  /** One class each. @param {Tensors} given @param {number} n */
  classes(given, n) {
    if (this.info.model.covariates.length) return this.layout.covariates(given.covariates, n);
    if (!given.y || !this.info.log_prior_y) return undefined;
    const { data } = given.y;
    const y = Int32Array.from({ length: n }, (_, i) => data[data.length === 1 ? 0 : i]);
    if (y.some((k) => !(k >= 0 && k < this.info.log_prior_y.length))) throw new Error(`y takes the index of a class: 0 to ${this.info.log_prior_y.length - 1}`);
    return tensor(y, n);
  }

  /** @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async encode(given, { missing }) {
    const { x, n, y } = this.asked(given, missing);
    const L = this.info.model.latent_dim;
    const found = await this.run("encoder", { x, y });
    /** @type {Tensors} */
    const arrays = { mean: tensor(found.mean, n, L), sd: tensor(found.sd ?? new Float32Array(n * L).fill(NaN), n, L) };
    if (found.probabilities) arrays.probabilities = tensor(found.probabilities, n, found.probabilities.length / n);
    return { arrays, info: {} };
  }

  /** @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async decode(given, options = {}) {
    const n = given.z.shape[0];
    const found = await this.run("decoder", { z: given.z, y: this.classes(given, n) });
    /** @type {Tensors} */
    const arrays = { x: this.layout.fromModel(found.x, n) };
    const { kind } = this.info.model;
    if (found.sd && kind !== "table" && (options.sd ?? kind !== "image")) arrays.sd = this.layout.fromModel(found.sd, n);
    return { arrays, info: {} };
  }

  /** @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async sample(given, { n = 16, temperature = 1, seed = 0 }) {
    const { latent_dim: L, temperature: tempered } = this.info.model;
    if (!tempered && temperature !== 1) throw new Error("this page draws from the prior at temperature 1 alone");
    const random = uniform(seed);
    let y = this.classes(given, n);
    const held = part(this.arrays, "pool.");
    if (held.z) {
      const all = Array.from({ length: held.z.shape[0] }, (_, i) => i);
      const fitting = held.x && y ? all.filter((i) => held.y.data[i] === y.data[0]) : all;
      const from = fitting.length ? fitting : all;
      const index = Array.from({ length: n }, () => from[Math.floor(random() * from.length)]);
      const arrays = Object.fromEntries(Object.entries(held).map(([name, array]) => [name, chosen(array, index)]));
      if (arrays.x) return { arrays, info: {} };
      return this.decoded(arrays.z, y ?? (arrays.y && tensor(/** @type {any} */ (arrays.y.data), n)), n);
    }
    const z = normals(random, n * L).map((value) => temperature * value);
    if (!y && this.info.log_prior_y) {
      const p = this.info.log_prior_y.map(Math.exp);
      y = tensor(Int32Array.from({ length: n }, () => {
        let left = random();
        return p.findIndex((/** @type {number} */ share, /** @type {number} */ k) => (left -= share) < 0 || k === p.length - 1);
      }), n);
    }
    return this.decoded(tensor(z, n, L), y, n);
  }

  /** @param {import("../safetensors.js").Tensor} z @param {import("../safetensors.js").Tensor | undefined} y @param {number} n */
  async decoded(z, y, n) {
    const { arrays } = await this.decode({ z, ...(y && { y }) }, { sd: false });
    return { arrays: { z, x: arrays.x, ...(y && n && { y }) }, info: {} };
  }

  /** @param {Tensors} given @returns {Promise<Answer>} */
  async reconstruct(given) {
    const { x, n, y } = this.asked(given);
    return { arrays: { x: this.layout.fromModel((await this.run("reconstruct", { x, y })).reconstruction, n) }, info: {} };
  }

  /** Missing cells: the mean over codes given the observed cells, or draws, as in evaluation/imputation.py.
   * @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async impute(given, { draws = 0, seed = 0 }) {
    if (this.arrays.values) return this.imputeCells(given, draws, uniform(seed));
    const { x, n, y } = this.asked(given, true);
    const { log_w, z } = await this.run("impute", { x, y });
    const L = this.info.model.latent_dim;
    const S = log_w.length / n;
    const weights = Array.from({ length: n }, (_, r) => softmax(Array.from({ length: S }, (_, s) => log_w[s * n + r])));
    const random = uniform(seed);
    const each = draws || S;
    const taken = Int32Array.from({ length: each * n }, (_, i) => (draws ? index(weights[i % n], random()) : Math.floor(i / n)));
    const codes = Float32Array.from({ length: each * n * L }, (_, i) => z[(taken[Math.floor(i / L)] * n + (Math.floor(i / L) % n)) * L + (i % L)]);
    const K = this.info.log_prior_y?.length ?? 0;
    const classes = y ? chosen(y, Array.from({ length: each * n }, (_, i) => i % n))
      : K ? tensor(taken.map((s) => Math.floor((s * K) / S)), each * n) : undefined;
    const found = await this.run("decoder", { z: tensor(codes, each * n, L), y: classes });
    const size = x.data.length / n;
    const filled = new Float32Array((draws || 1) * x.data.length);
    const noise = normals(random, draws ? found.x.length : 0);
    found.x.forEach((/** @type {number} */ mean, /** @type {number} */ i) => {
      const row = Math.floor(i / size);
      if (!draws) filled[i % filled.length] += weights[row % n][taken[row]] * mean;
      else filled[i] = this.info.graphs.impute.noise === "binary" ? +(random() < mean) : mean + found.sd[i] * noise[i];
    });
    filled.forEach((_, i) => {
      const known = x.data[i % x.data.length];
      if (!Number.isNaN(known)) filled[i] = known;
    });
    if (this.info.model.window) {
      const last = Float64Array.from({ length: filled.length / size }, (_, r) => (Number.isNaN(given.x.data[r % n]) ? filled[(r + 1) * size - 1] : given.x.data[r % n]));
      return { arrays: { x: tensor(last, draws || 1, n, 1) }, info: {} };
    }
    const { data, shape } = this.layout.fromModel(filled, filled.length / size);
    return { arrays: { x: tensor(/** @type {any} */ (data), draws || 1, n, ...shape.slice(1)) }, info: {} };
  }

  /** p(x_j | the observed cells) of rows of a table with gaps, (n, G, C).
   * @param {import("../safetensors.js").Tensor} x @param {import("../safetensors.js").Tensor | undefined} y */
  async missing(x, y) {
    const [n, C] = x.shape;
    const held = this.arrays.values.data.length;
    const chunk = Math.max(1, Math.floor(20000 / held));
    const p = new Float32Array(n * held);
    for (let i = 0; i < n; i += chunk) {
      const to = Math.min(n, i + chunk);
      p.set((await this.run("conditional", { x: rows(x, i, to), y: y && rows(y, i, to) })).p, i * held);
    }
    return tensor(p, n, held / C, C);
  }

  /** Each cell given the others of its row, as in evaluation/conditionals.py. @param {Tensors} given @returns {Promise<Answer>} */
  async conditional(given) {
    const { x, n, y } = this.asked(given, true);
    const C = x.shape[1];
    const G = this.arrays.values.shape[0];
    const hidden = Float32Array.from({ length: n * C * C }, (_, i) => (Math.floor(i / C) % C === i % C ? NaN : x.data[Math.floor(i / (C * C)) * C + (i % C)]));
    const each = await this.missing(tensor(hidden, n * C, C), y && chosen(y, Array.from({ length: n * C }, (_, i) => Math.floor(i / C))));
    const p = Float32Array.from({ length: n * G * C }, (_, i) => {
      const [r, k, j] = [Math.floor(i / (G * C)), Math.floor(i / C) % G, i % C];
      return each.data[((r * C + j) * G + k) * C + j];
    });
    return { arrays: { values: this.arrays.values, p: tensor(p, n, G, C) }, info: {} };
  }

  /** Gaps of a table, column by column, each given what is observed and what was drawn before it; without draws the mean of each,
   * or the most probable category, given what is observed.
   * @param {Tensors} given @param {number} draws @param {() => number} random @returns {Promise<Answer>} */
  async imputeCells(given, draws, random) {
    const { x, n, y } = this.asked(given, true);
    const { columns } = this.info.model;
    const [C, { data: values, shape: [G] }] = [columns.length, this.arrays.values];
    const m = Math.max(1, draws) * n;
    const many = (/** @type {any} */ t) => t && chosen(t, Array.from({ length: m }, (_, i) => i % n));
    const [shown, model, classes] = [many(given.x).data, many(x), many(y)];
    let found = await this.missing(model, classes);
    for (let j = 0; j < C; j++) {
      const open = Array.from({ length: m }, (_, r) => r).filter((r) => Number.isNaN(model.data[r * C + j]));
      if (!open.length) continue;
      for (const r of open) {
        const p = Array.from({ length: G }, (_, k) => found.data[(r * G + k) * C + j]);
        if (draws || columns[j].categories) shown[r * C + j] = values[(draws ? index(p, random()) : p.indexOf(Math.max(...p))) * C + j];
        else shown[r * C + j] = this.layout.nearest(j, p.reduce((sum, share, k) => sum + share * values[k * C + j], 0));
      }
      if (!draws) continue;
      for (const r of open) model.data[r * C + j] = this.layout.cell(j, shown[r * C + j]);
      if (model.data.some(Number.isNaN)) found = await this.missing(model, classes);
    }
    return { arrays: { x: tensor(shown, Math.max(1, draws), n, C) }, info: {} };
  }

  /** Windows whose missing steps are filled by turns of z ~ q(z|x) and x ~ p(x|z), as in evaluation/anomaly.py.
   * @param {import("../safetensors.js").Tensor} x */
  async completed(x) {
    const hole = Array.from(x.data, Number.isNaN);
    const full = tensor(Float32Array.from(x.data), ...x.shape);
    const L = this.info.model.latent_dim;
    const noise = normals(uniform(0), hole.includes(true) ? TURNS * (x.shape[0] * L + hole.length) : 0);
    for (let at = 0; at < noise.length; ) {
      const { mean, sd } = await this.run("encoder", { x: full });
      const z = mean.map((/** @type {number} */ m, /** @type {number} */ i) => m + sd[i] * noise[at + i]);
      at += z.length;
      const drawn = await this.run("decoder", { z: tensor(z, x.shape[0], L) });
      hole.forEach((gone, i) => gone && (full.data[i] = drawn.x[i] + drawn.sd[i] * noise[at + i]));
      at += hole.length;
    }
    return full;
  }

  /** @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async score(given, { missing }) {
    const { x, n, y } = this.asked(given, missing);
    const { window } = this.info.model;
    const found = await this.run("score", { x: window ? await this.completed(x) : x, y });
    if (window) found.log_px = Float32Array.from({ length: n }, (_, r) => (Number.isNaN(x.data[(r + 1) * window - 1]) ? NaN : found.cells[(r + 1) * window - 1]));
    /** @type {Tensors} */
    const arrays = { log_px: tensor(Float64Array.from(found.log_px), n) };
    if (found.cells && !window) arrays.cells = this.layout.ofCells(found.cells, n);
    if (!this.n) return { arrays, info: {} };
    const sorted = (this.sorted ??= Float64Array.from(this.data_.score.data).filter((v) => !Number.isNaN(v)).sort());
    arrays.percentile = tensor(Float64Array.from(found.log_px, (v) => (100 * sorted.filter((/** @type {number} */ s) => s <= v).length) / Math.max(1, sorted.length)), n);
    return { arrays, info: { reference: sorted.length, n: this.n } };
  }

  /** @param {Tensors} given @returns {Promise<Answer>} */
  async prior({ z }) {
    const [n, L] = z.shape;
    if (!this.info.standard) return { arrays: { log_p: tensor((await this.run("prior", { z })).log_p, n) }, info: {} };
    const log_p = Float32Array.from({ length: n }, (_, i) => {
      let sum = -0.5 * L * Math.log(2 * Math.PI);
      for (let k = 0; k < L; k++) sum -= 0.5 * z.data[i * L + k] ** 2;
      return sum;
    });
    return { arrays: { log_p: tensor(log_p, n) }, info: {} };
  }

  /** @param {Tensors} given @param {any} options @returns {Promise<Answer>} */
  async interpolate(given, options) {
    const z = between(given.z, options.steps ?? 9, options.path ?? "linear");
    const { arrays, info } = await this.decode({ ...given, z }, options);
    return { arrays: { ...arrays, z }, info };
  }

  /** @param {Tensors} _ @param {any} options @returns {Answer} */
  codes(_, { start = 0, stop = this.n, score = true }) {
    const { mean, sd, y, score: scores } = this.data_;
    const [from, to] = [Math.min(start, this.n), Math.min(stop, this.n)];
    /** @type {Tensors} */
    const arrays = { mean: rows(mean, from, to), sd: rows(sd, from, to), y: rows(y, from, to) };
    if (score) arrays.score = rows(scores, from, to);
    return { arrays, info: { n: this.n, start: from, stop: to, kl: this.info.rows.kl } };
  }

  /** @param {Tensors} given @param {any} options @returns {Answer} */
  data({ index }, { start = 0, stop = this.n }) {
    const which = index ? Array.from(index.data) : Array.from({ length: Math.max(0, Math.min(stop, this.n) - start) }, (_, i) => start + i);
    if (which.some((i) => !(i >= 0 && i < this.n))) throw new Error(`the rows are 0 to ${this.n - 1}`);
    const { keys } = this.info.rows;
    const { window } = this.info.model;
    const x = window && index ? this.layout.windows(this.data_.x.data, which) : chosen(this.data_.x, which);
    const { y, covariates } = this.data_;
    return { arrays: { x, y: chosen(y, which), ...(covariates && { covariates: chosen(covariates, which) }) }, info: { keys: keys && which.map((i) => keys[i]), n: this.n } };
  }

  /** @param {Tensors} _ @param {any} options @returns {Answer} */
  column(_, { name, start = 0, stop = this.n }) {
    const { columns } = this.info.model;
    const j = columns.findIndex((/** @type {any} */ column) => column.name === name);
    if (j < 0) throw new Error(`no column is called ${name}`);
    const { data, shape } = rows(this.data_.x, start, Math.min(stop, this.n));
    const value = Float64Array.from({ length: shape[0] }, (_, i) => data[i * columns.length + j]);
    return { arrays: { value: tensor(value, shape[0]) }, info: { categories: columns[j].categories ?? null, n: this.n } };
  }

  /** @param {Tensors} _ @param {any} options @returns {Answer} */
  anomalies(_, { n = 20 }) {
    const scores = Array.from(this.data_.score.data, (v) => (Number.isNaN(v) ? Infinity : v));
    const index = Int32Array.from(scores.map((_, i) => i).sort((i, j) => scores[i] - scores[j] || i - j).slice(0, n));
    const score = Float32Array.from(index, (i) => scores[i]);
    const reasons = this.info.rows.reasons?.slice(0, n) ?? null;
    return { arrays: { index: tensor(index, index.length), score: tensor(score, index.length) }, info: { reasons } };
  }

  /** @returns {Answer} */
  training() {
    return { arrays: this.arrays.samples ? { samples: this.arrays.samples } : {}, info: this.info.training };
  }
}

/** Weights that add up to 1. @param {number[]} logs */
function softmax(logs) {
  const most = Math.max(...logs);
  const each = logs.map((v) => Math.exp(v - most));
  const sum = each.reduce((a, b) => a + b, 0);
  return each.map((v) => v / sum);
}

/** The place of a uniform number among weights. @param {number[]} weights @param {number} at */
function index(weights, at) {
  const found = weights.findIndex((w) => (at -= w) < 0);
  return found < 0 ? weights.length - 1 : found;
}

/** Codes from the first of two to the second, on a line, or turning by equal angles while the length changes evenly.
 * @param {import("../safetensors.js").Tensor} ends @param {number} steps @param {string} path */
function between({ data, shape }, steps, path) {
  const L = shape[1];
  const [a, b] = [Array.from(data.slice(0, L)), Array.from(data.slice(L, 2 * L))];
  const [la, lb] = [Math.hypot(...a), Math.hypot(...b)];
  const dot = a.reduce((sum, v, k) => sum + v * b[k], 0);
  const angle = la && lb ? Math.acos(Math.max(-1, Math.min(1, dot / (la * lb)))) : 0;
  const around = path === "spherical" && angle > 1e-6 && angle < Math.PI - 1e-6;
  const z = new Float32Array(steps * L);
  for (let i = 0; i < steps; i++) {
    const s = i / (steps - 1);
    const length = (1 - s) * la + s * lb;
    const [p, q] = around ? [(length * Math.sin((1 - s) * angle)) / Math.sin(angle) / la, (length * Math.sin(s * angle)) / Math.sin(angle) / lb] : [1 - s, s];
    for (let k = 0; k < L; k++) z[i * L + k] = p * a[k] + q * b[k];
  }
  return tensor(z, steps, L);
}
