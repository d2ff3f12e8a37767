/** The state of the page, what was loaded of the data, and the questions that are asked. */
import { createContext, useContext, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { matrix, tensor } from "./safetensors.js";

/** @typedef {import("./safetensors.js").Tensors} Tensors */
/** @typedef {{ask: (verb: string, arrays?: Tensors, options?: object) => Promise<{arrays: Tensors, info: any}>,
 *   events?: (heard: (row: any) => void) => (() => void)}} Answerer */
/** @typedef {{model: number, n: number, loaded: number, L: number, mean: Float32Array, sd: Float32Array, y: Int32Array,
 *   score: Float32Array, scored: number, kl: number[] | null}} Codes */
/** @typedef {{name: string, direction: number[], amount: number}} Direction */
/** @typedef {{view: string, model: number, z: number[], y: number, axes: [number, number], projection: string, turn: number,
 *   colour: string, selection: number[], kl: number[], hover: any, datum: any, ready: boolean, lastDecodeMs: number,
 *   a: number[], b: number[], directions: Direction[], covariates: number[], theme: string, error: string, loaded: number, layers: string[],
 *   layer: {field?: number, density?: number, prior?: number, posterior?: any, camera?: {x: number, y: number, scale: number}}}} State
 * layer: decoded tiles, segments of contours, the ellipse and the camera of the map */

export const BLOCK = 16384;
export const StoreContext = createContext(null);

/** Calls of `run`, one at a time; of those that come meanwhile only the newest is kept.
 * @template {any[]} T @param {(...a: T) => Promise<void>} run @returns {(...a: T) => Promise<void>} */
export function newest(run) {
  let busy = false;
  /** @type {T | null} */
  let waiting = null;
  return async (...call) => {
    waiting = call;
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await run(...next);
      }
    } finally {
      busy = false;
    }
  };
}

/** Changes when the rows that are there have doubled, and when all n are: then points are drawn again. @param {number} there @param {number} n */
export const stage = (there, n) => (there < n ? Math.floor(Math.log2(there + 1)) : n);

export class Store {
  /** @param {Answerer} answerer @param {boolean} address whether the state is kept in the page's address */
  constructor(answerer, address) {
    this.answerer = answerer;
    this.address = address;
    /** @type {any[]} */ this.infos = [];
    /** @type {Codes[]} */ this.codes = [];
    /** @type {Set<() => void>} */ this.listeners = new Set();
    /** @type {{z: number[], y: number, amounts: number[]}[]} */ this.past = [];
    this.moved = 0;
    /** @type {State} */
    this.state = {
      view: "map", model: 0, z: [], y: -1, axes: [0, 1], projection: "axes", turn: 0, colour: "class", selection: [], kl: [],
      hover: null, datum: null, ready: false, lastDecodeMs: 0, a: [], b: [], directions: [], covariates: [], theme: "auto", error: "", loaded: 0,
      layers: ["density"], layer: {},
    };
  }

  /** Says what went wrong. @type {(error: Error) => void} */
  failed = (error) => this.set({ error: error.message });

  get info() {
    return this.infos[this.state.model];
  }

  /** @param {string} verb */
  can(verb, model = this.state.model) {
    return this.infos[model].verbs.includes(verb);
  }

  /** @param {Partial<State>} patch */
  set(patch) {
    Object.assign(this.state, patch);
    for (const listener of this.listeners) listener();
    clearTimeout(this.writing);
    if (this.address && this.state.ready) this.writing = setTimeout(() => history.replaceState(null, "", this.toHash()), 150);
  }

  /** Moves to another code, which `undo` takes back; `sliding`: quick moves after one another are taken back together.
   * @param {ArrayLike<number>} z @param {number} y @param {boolean} sliding */
  move(z, y = this.state.y, sliding = false) {
    if (!sliding || Date.now() - this.moved > 400) this.past.push({ z: this.state.z, y: this.state.y, amounts: this.state.directions.map((d) => d.amount) });
    this.moved = sliding ? Date.now() : 0;
    this.set({ z: Array.from(z), y });
  }

  undo() {
    const last = this.past.pop();
    this.moved = 0;
    if (!last) return;
    const directions = this.state.directions.map((d, i) => ({ ...d, amount: last.amounts[i] ?? d.amount }));
    this.set({ z: last.z, y: last.y, directions });
  }

  toHash() {
    const { view, z, y, axes, projection, turn, colour, model, layers } = this.state;
    const parts = { view, axes: axes.join(","), projection, colour, layers: layers.join(",") };
    const more = { ...(turn && { turn }), ...(y >= 0 && { y }), ...(model && { model }) };
    const code = z.length <= 256 && z.some((v) => v) ? { z: z.map((v) => +v.toFixed(3)).join(",") } : {};
    return "#" + new URLSearchParams(/** @type {any} */ ({ ...parts, ...more, ...code }));
  }

  fromHash() {
    const held = new URLSearchParams(location.hash.slice(1));
    const L = this.info.latent_dim;
    /** @type {any} */
    const patch = {};
    for (const name of ["view", "projection", "colour"]) if (held.has(name)) patch[name] = held.get(name);
    if (held.has("layers")) patch.layers = held.get("layers").split(",").filter(Boolean);
    for (const name of ["turn", "y", "model"]) if (Number.isFinite(parseFloat(held.get(name)))) patch[name] = parseFloat(held.get(name));
    const z = (held.get("z") ?? "").split(",").map(Number);
    if (z.length === L && z.every(Number.isFinite)) patch.z = z;
    const axes = (held.get("axes") ?? "").split(",").map(Number);
    if (axes.length === 2 && axes.every((a) => Number.isInteger(a) && a >= 0 && a < L)) patch.axes = axes;
    if (patch.y >= this.info.classes.length) delete patch.y;
    if (patch.model && !this.infos[patch.model]) delete patch.model;
    return patch;
  }

  /** @param {string} verb @param {Tensors} arrays @param {object} options */
  async ask(verb, arrays = {}, options = {}) {
    const { covariates: m } = this.infos[/** @type {any} */ (options).model ?? this.state.model];
    const { covariates } = this.state;
    const given = m.length && m.length === covariates.length ? { covariates: tensor(Float64Array.from(covariates), 1, m.length) } : {};
    return this.answerer.ask(verb, { ...given, ...arrays }, { model: this.state.model, ...options });
  }

  /** What the decoder gives for codes; `y` one class for all, or one each.
   * @param {ArrayLike<number>[]} codes @param {number | number[]} y @param {object} options */
  async decode(codes, y = this.state.y, options = {}) {
    const model = /** @type {any} */ (options).model ?? this.state.model;
    /** @type {Tensors} */
    const arrays = { z: matrix(codes) };
    const each = Array.isArray(y) ? y : codes.map(() => y);
    if (this.infos[model].labels && each.every((v) => v >= 0)) arrays.y = tensor(Int32Array.from(each), each.length);
    const begun = performance.now();
    const found = await this.ask("decode", arrays, options);
    this.state.lastDecodeMs = performance.now() - begun;
    return found;
  }

  async begin() {
    const first = (await this.answerer.ask("model", {}, { model: 0 })).info;
    this.infos = [first];
    for (let m = 1; m < first.models.length; m++) this.infos.push((await this.answerer.ask("model", {}, { model: m })).info);
    const y = first.labels && first.classes.length ? 0 : -1;
    const colour = first.classes.length ? "class" : "score";
    const covariates = first.covariates.map((/** @type {any} */ c) => c.usual);
    this.set({ z: new Array(first.latent_dim).fill(0), y, colour, covariates, axes: [0, Math.min(1, Math.max(0, first.latent_dim - 1))] });
    if (this.address) this.set(this.fromHash());
    const directions = remembered(`reparam.directions.${first.name}`);
    if (Array.isArray(directions)) this.set({ directions: directions.filter((d) => d.direction?.length === first.latent_dim) });
    await Promise.all(this.infos.map((_, m) => this.load(m)));
    this.set({ ready: true });
  }

  /** Loads the codes of all data, block by block. @param {number} model */
  async load(model) {
    const { n_data: n, latent_dim: L } = this.infos[model];
    /** @type {Codes} */
    const codes = { model, n, L, loaded: 0, mean: new Float32Array(n * L), sd: new Float32Array(n * L), y: new Int32Array(n).fill(-1),
      score: new Float32Array(n).fill(NaN), scored: 0, kl: null };
    this.codes[model] = codes;
    if (!this.can("codes", model)) return;
    const step = n > 4 * BLOCK ? BLOCK : n > 2000 ? Math.min(BLOCK, 4096) : 512;
    while (codes.loaded < n) {
      const start = codes.loaded;
      const { arrays, info } = await this.answerer.ask("codes", {}, { model, start, stop: Math.min(n, start + step), score: false });
      if (!arrays.mean.shape[0]) break;
      codes.mean.set(/** @type {Float32Array} */ (arrays.mean.data), start * L);
      if (arrays.sd) codes.sd.set(/** @type {Float32Array} */ (arrays.sd.data), start * L);
      if (arrays.y) codes.y.set(/** @type {Int32Array} */ (arrays.y.data), start);
      codes.loaded += arrays.mean.shape[0];
      codes.kl = info.kl ?? codes.kl;
      if (start === 0 && codes.kl && model === 0 && !location.hash.includes("axes=")) {
        const order = codes.kl.map((_, i) => i).sort((i, j) => codes.kl[j] - codes.kl[i]);
        if (L > 2) this.set({ axes: [order[0], order[1]] });
      }
      this.set({ loaded: codes.loaded, kl: this.codes[0].kl ?? [] });
    }
    if (codes.loaded < n) codes.n = codes.loaded;
  }

  /** Scores of all data, nats, where they are not yet known. @param {number} model @param {number} stop */
  async scores(model, stop = this.codes[model].n) {
    const codes = this.codes[model];
    for (let start = 0; start < stop; start += 2048) {
      if (codes.scored > start) continue;
      const { arrays } = await this.answerer.ask("codes", {}, { model, start, stop: Math.min(stop, start + 2048) });
      if (!arrays.score) return;
      codes.score.set(/** @type {Float32Array} */ (arrays.score.data), start);
      codes.scored = Math.max(codes.scored, Math.min(stop, start + 2048));
      this.set({});
    }
  }

  /** A row of the data as the datum that is looked at. @param {number} index */
  async pick(index) {
    const { arrays, info } = await this.ask("data", { index: tensor(Int32Array.from([index]), 1) });
    const codes = this.codes[this.state.model];
    const y = arrays.y?.data[0] ?? codes.y[index];
    const x = Array.from(arrays.x.data);
    const covariates = arrays.covariates ? Array.from(arrays.covariates.data) : this.state.covariates;
    this.set({ covariates, datum: { index, key: info.keys?.[0] ?? null, y, x, shape: arrays.x.shape.slice(1) } });
    const z = codes.mean.slice(index * codes.L, (index + 1) * codes.L);
    if (codes.L) this.move(z, this.info.labels && y >= 0 ? y : this.state.y);
  }

  /** @param {Direction[]} directions */
  keep(directions) {
    this.set({ directions });
    remember(`reparam.directions.${this.info.name}`, directions);
  }
}

/** @param {string} name @returns {any} */
export function remembered(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}

/** @param {string} name @param {any} value */
export function remember(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // a page without storage forgets
  }
}

/** As `newest`, over the life of a view; what fails is said. @template {any[]} T @param {(...a: T) => Promise<void>} run @returns {(...a: T) => Promise<void>} */
export function useNewest(run) {
  const store = useContext(StoreContext);
  const held = useRef(/** @type {any} */ (null));
  const latest = useRef(run);
  latest.current = run;
  held.current ??= newest((/** @type {T} */ ...call) => latest.current(...call).catch(store.failed));
  return held.current;
}

/** The store, and a new rendering whenever it changes. @returns {Store} */
export function useStore() {
  const store = useContext(StoreContext);
  const [, redraw] = useState(0);
  useEffect(() => {
    const heard = () => redraw((n) => n + 1);
    store.listeners.add(heard);
    return () => store.listeners.delete(heard);
  }, [store]);
  return store;
}
