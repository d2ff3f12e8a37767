/** What a map shows outside of Preact: camera, plane, points and layers, drawn when something changes. */
import { newest, stage } from "../store.js";
import { matrix } from "../safetensors.js";
import { LONGEST, Points } from "../points.js";
import { contour } from "../contours.js";
import { boundsOf, ellipse, Grid, inside, lift, planeOf, positions, project } from "../projection.js";
import { imageOf, limits, plot, sizeOf, token } from "../pictures.js";
import { drawAxes, drawCloud, drawMarks, drawOval, segments } from "./layers.js";

const TILE = 58;
const PRIOR_SIDE = 36;
/** Milliseconds of a frame while the map moves: where all points take longer, some are drawn until it rests. */
const FRAME = 40;

export class Scene {
  /** @param {import("../store.js").Store} store @param {number} model @param {HTMLElement} frame */
  constructor(store, model, frame) {
    this.store = store;
    this.model = model;
    this.frame = frame;
    this.glass = /** @type {HTMLCanvasElement} */ (frame.querySelector("canvas.glass"));
    this.under = /** @type {HTMLCanvasElement} */ (frame.querySelector("canvas.under"));
    /** @type {any} */ this.positionsOf = null;
    this.anchor = "";
    this.cost = 0;
    this.coarse = false;
    this.camera = { x: 0, y: 0, scale: 60 };
    this.there = 0;
    /** @type {any} */ this.line = null;
    /** @type {[number, number] | null} */ this.cross = null;
    /** @type {any} */ this.tiles = null;
    /** @type {any} */ this.oval = null;
    /** @type {any} */ this.priorGrid = null;
    this.codes = store.codes[model];
    this.points = new Points(/** @type {HTMLCanvasElement} */ (frame.querySelector("canvas.points")), this.codes.n, this.codes.L);
    this.shown = this.plane = planeOf(store.state, this.codes);
    this.askTiles = newest(() => this.loadTiles().catch(store.failed));
    this.askPrior = newest(() => this.loadPrior().catch(store.failed));
    this.sized = new ResizeObserver(() => this.resize());
    this.sized.observe(frame);
    this.resize();
  }

  resize() {
    const [w, h] = [this.frame.clientWidth, this.frame.clientHeight];
    this.ratio = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.glass, this.under, this.points.canvas]) {
      canvas.width = Math.max(1, Math.round(w * this.ratio));
      canvas.height = Math.max(1, Math.round(h * this.ratio));
    }
    this.points.drawn = "";
    this.width = w;
    this.height = h;
    if (!this.touched) this.fit();
    this.changed();
  }

  /** Shows all points. */
  fit() {
    const at = this.at();
    const pad = 1.12;
    const [x0, y0, x1, y1] = at.length ? boundsOf(at) : [-3, -3, 3, 3];
    this.camera = {
      x: (x0 + x1) / 2, y: (y0 + y1) / 2,
      scale: Math.min(this.width / ((x1 - x0 || 2) * pad), this.height / ((y1 - y0 || 2) * pad)) || 60,
    };
    this.touched = false;
    this.changed();
  }

  /** Positions in the plane that is shown at rest. */
  at() {
    if (this.positionsOf !== this.plane || this.positions.length !== 2 * this.points.filled) {
      this.positions = positions(this.codes, this.plane, this.points.filled);
      this.positionsOf = this.plane;
      this.grid = null;
      this.cloud = null;
    }
    return this.positions;
  }

  /** @param {number} px @param {number} py @returns {[number, number]} */
  toPlane(px, py) {
    return [this.camera.x + (px - this.width / 2) / this.camera.scale, this.camera.y - (py - this.height / 2) / this.camera.scale];
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toPixel(x, y) {
    return [this.width / 2 + (x - this.camera.x) * this.camera.scale, this.height / 2 - (y - this.camera.y) * this.camera.scale];
  }

  /** The box of the plane that is seen. */
  box() {
    const [x0, y1] = this.toPlane(0, 0);
    const [x1, y0] = this.toPlane(this.width, this.height);
    return [x0, y0, x1, y1];
  }

  /** @param {number} px @param {number} py @param {number} reach */
  nearest(px, py, reach = 9) {
    const at = this.at();
    this.grid ??= new Grid(at);
    const [x, y] = this.toPlane(px, py);
    return this.grid.nearest(x, y, reach / this.camera.scale);
  }

  /** Takes up the store's state: plane, colours, rows that came. */
  update() {
    const { state } = this.store;
    const there = stage(this.codes.loaded, this.codes.n);
    const grown = there !== this.there;
    if (grown) this.points.fill(this.codes.mean, this.codes.loaded);
    this.there = there;
    const next = planeOf(state, this.codes);
    if (String(next.u) !== String(this.plane.u) || String(next.v) !== String(this.plane.v)) {
      this.from = this.shown;
      this.plane = next;
      const [a, b] = [{ ...this.camera }, (this.fit(), { ...this.camera })];
      const begun = performance.now();
      const quick = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const step = () => {
        const t = quick ? 1 : Math.min(1, (performance.now() - begun) / 450);
        const s = t * t * (3 - 2 * t);
        /** @param {Float64Array} p @param {Float64Array} q */
        const mix = (p, q) => p.map((value, k) => value + s * (q[k] - value));
        this.shown = { u: mix(this.from.u, next.u), v: mix(this.from.v, next.v) };
        this.camera = { x: a.x + s * (b.x - a.x), y: a.y + s * (b.y - a.y), scale: a.scale + s * (b.scale - a.scale) };
        this.moving = this.coarse = t < 1;
        this.draw();
        if (this.plane === next && t < 1) requestAnimationFrame(step);
        else if (this.plane === next) this.settle();
      };
      this.tiles = this.priorGrid = null;
      requestAnimationFrame(step);
    } else if (grown && !this.touched) this.fit();
    const anchor = this.store.state.z.join();
    if (anchor !== this.anchor) {
      this.anchor = anchor;
      if (this.codes.L > 2) this.settle();
    }
    if (String(state.layers) !== this.layered || state.y !== this.class) {
      this.layered = String(state.layers);
      this.class = state.y;
      this.settle();
    }
    this.changed();
  }

  /** Asks for what depends on the place once it rests. */
  settle() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      const { layers } = this.store.state;
      this.coarse = false;
      this.changed();
      if (layers.includes("field") && this.store.can("decode", this.model)) this.askTiles();
      if (layers.includes("prior") && this.store.can("prior", this.model)) this.askPrior();
    }, this.cost > FRAME ? 300 : 90);
  }

  get anchorCode() {
    const { z } = this.store.state;
    return z.length === this.codes.L ? z : new Array(this.codes.L).fill(0);
  }

  async loadTiles() {
    const [nx, ny] = [Math.max(1, Math.floor(this.width / TILE)), Math.max(1, Math.floor(this.height / TILE))];
    const box = this.box();
    const codes = [];
    for (let r = 0; r < ny; r++)
      for (let c = 0; c < nx; c++)
        codes.push(lift(this.plane, this.anchorCode, box[0] + ((c + 0.5) / nx) * (box[2] - box[0]), box[3] - ((r + 0.5) / ny) * (box[3] - box[1])));
    const { arrays } = await this.store.decode(codes, this.store.state.y, { model: this.model });
    const info = this.store.infos[this.model];
    const { shape } = info;
    const size = sizeOf(info);
    const sheet = document.createElement("canvas");
    const [tw, th] = info.kind === "image" ? [shape[1], shape[0]] : [60, 44];
    [sheet.width, sheet.height] = [nx * tw, ny * th];
    const g = sheet.getContext("2d");
    const cell = document.createElement("canvas");
    [cell.width, cell.height] = [tw, th];
    for (let i = 0; i < codes.length; i++) {
      const [x, y] = [(i % nx) * tw, Math.floor(i / nx) * th];
      if (info.kind === "image") g.putImageData(imageOf(arrays.x.data, shape, i * size), x, y);
      else {
        plot(cell.getContext("2d"), tw, th, info.kind === "series" ? "series" : "vector", scaled(info, arrays.x.data, i * size, size), 0, size, { low: 0, high: 1 });
        g.drawImage(cell, x, y);
      }
    }
    this.tiles = { sheet, box, nx, ny, tw, th };
    this.says({ field: codes.length });
  }

  async loadPrior() {
    const box = this.box();
    const codes = [];
    for (let r = 0; r < PRIOR_SIDE; r++)
      for (let c = 0; c < PRIOR_SIDE; c++)
        codes.push(lift(this.plane, this.anchorCode, box[0] + ((c + 0.5) / PRIOR_SIDE) * (box[2] - box[0]), box[1] + ((r + 0.5) / PRIOR_SIDE) * (box[3] - box[1])));
    const { arrays } = await this.store.ask("prior", { z: matrix(codes) }, { model: this.model });
    const grid = /** @type {Float32Array} */ (arrays.log_p.data);
    const top = grid.reduce((a, b) => Math.max(a, b), -Infinity);
    const lines = [0.5, 2, 4.5, 8].map((drop) => contour(grid, box, PRIOR_SIDE, top - drop));
    this.priorGrid = { lines };
    this.says({ prior: lines.flat().length });
  }

  /** The ellipse of a row's posterior with its decoded ends. @param {number} index */
  async posterior(index) {
    const { L, mean, sd } = this.codes;
    const oval = ellipse(this.plane, mean.subarray(index * L, (index + 1) * L), sd.subarray(index * L, (index + 1) * L));
    this.oval = { ...oval, index };
    this.changed();
    if (!this.store.can("decode", this.model)) return;
    const y = this.store.infos[this.model].labels ? Math.max(0, this.codes.y[index]) : -1;
    const { arrays } = await this.store.decode(oval.ends, y, { model: this.model });
    if (this.oval?.index !== index) return;
    this.oval = { ...this.oval, x: arrays.x.data, at: oval.ends.map((z) => project(this.plane, z)) };
    this.says({ posterior: { index, radii: oval.radii, ends: oval.ends.map((z) => Array.from(z)) } });
  }

  /** Draws a layer that came, and notes it in the state of the page. @param {Partial<import("../store.js").State["layer"]>} part */
  says(part) {
    Object.assign(this.store.state.layer, part);
    this.changed();
  }

  changed() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    if (!this.points) return; // the view is gone
    const { layers, layer } = this.store.state;
    layer.camera = this.camera;
    const d = this.ratio;
    const camera = { x: this.camera.x, y: this.camera.y, scale: this.camera.scale * d };
    const n = this.codes.loaded;
    const zoom = Math.min(1.6, Math.max(1, this.camera.scale / 90));
    const size = (n > 200000 ? 2.5 : n > 20000 ? 3.5 : n > 3000 ? 5 : 7.5) * d * zoom;
    const stride = this.coarse ? Math.max(1, Math.min(LONGEST, Math.ceil(this.cost / FRAME))) : 1;
    const took = this.points.draw(this.shown, camera, size, stride);
    if (stride === 1 && took) this.cost = took;
    const u = this.under.getContext("2d");
    u.setTransform(d, 0, 0, d, 0, 0);
    u.clearRect(0, 0, this.width, this.height);
    if (layers.includes("field") && this.tiles && !this.moving) {
      const { sheet, box, nx, ny, tw, th } = this.tiles;
      u.imageSmoothingEnabled = tw > 40;
      const [x0, y0] = this.toPixel(box[0], box[3]);
      const [x1, y1] = this.toPixel(box[2], box[1]);
      const [w, h] = [(x1 - x0) / nx, (y1 - y0) / ny];
      const s = Math.min(w / tw, h / th) * 0.86;
      u.globalAlpha = 0.8;
      for (let i = 0; i < nx * ny; i++)
        u.drawImage(sheet, (i % nx) * tw, Math.floor(i / nx) * th, tw, th,
          x0 + ((i % nx) + 0.5) * w - (tw * s) / 2, y0 + (Math.floor(i / nx) + 0.5) * h - (th * s) / 2, tw * s, th * s);
      u.globalAlpha = 1;
    }
    const g = this.glass.getContext("2d");
    g.setTransform(d, 0, 0, d, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    if (!this.moving) {
      drawAxes(this, u);
      if (layers.includes("density") && n > 20) drawCloud(this, g);
      if (layers.includes("prior") && this.priorGrid) segments(this, g, this.priorGrid.lines, token("--accent"), [4, 4]);
      if (this.oval) drawOval(this, g);
      drawMarks(this, g);
    }
  }

  /** Rows inside a polygon of the plane. @param {[number, number][]} polygon */
  within(polygon) {
    const at = this.at();
    const found = [];
    for (let i = 0; i < at.length / 2; i++) if (inside(polygon, at[2 * i], at[2 * i + 1])) found.push(i);
    return found;
  }

  /** @param {number} factor @param {number} px @param {number} py */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toPlane(px, py);
    this.camera.scale = Math.max(1e-3, Math.min(1e6, this.camera.scale * factor));
    const [nx, ny] = this.toPlane(px, py);
    this.camera.x += x - nx;
    this.camera.y += y - ny;
    this.moved();
  }

  /** @param {number} dx @param {number} dy pixels */
  pan(dx, dy) {
    this.camera.x -= dx / this.camera.scale;
    this.camera.y += dy / this.camera.scale;
    this.moved();
  }

  moved() {
    this.touched = this.coarse = true;
    this.changed();
    this.settle();
  }

  free() {
    this.sized.disconnect();
    clearTimeout(this.resting);
    this.points.free();
    this.points = null;
  }
}

/** A row of a table or a vector as shares of each column's range.
 * @param {any} info @param {ArrayLike<number>} x @param {number} start @param {number} size */
function scaled(info, x, start, size) {
  const { low, high } = limits(info);
  return Array.from({ length: size }, (_, j) => {
    const column = info.kind === "table" ? info.columns[j] : null;
    const [a, b] = column ? (column.categories ? [0, column.categories.length - 1] : [column.low, column.high]) : [low, high];
    return (x[start + j] - a) / (b - a || 1);
  });
}
