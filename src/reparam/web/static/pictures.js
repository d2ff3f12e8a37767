/** A datum of any kind as a picture: pixels, bars, a curve with its band, a card of columns. */
import { html, useEffect, useRef } from "./vendor/preact-htm.js";
import { useStore } from "./store.js";

/** Pixels (H, W, C) in [0, 1] as an image. @param {ArrayLike<number>} x @param {number[]} shape @param {number} start */
export function imageOf(x, [H, W, C], start = 0) {
  const image = new ImageData(W, H);
  for (let p = 0; p < H * W; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = 255 * (x[start + p * C + (C >= 3 ? c : 0)] || 0);
    image.data[4 * p + 3] = Number.isNaN(x[start + p * C]) ? 0 : 255;
  }
  return image;
}

/** One picture as a canvas. @param {ArrayLike<number>} x @param {number[]} shape @param {number} start */
export function canvasOf(x, shape, start = 0) {
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = shape;
  canvas.getContext("2d").putImageData(imageOf(x, shape, start), 0, 0);
  return canvas;
}

/** Numbers by pixel, blue under zero and red above, as an image; `strong` is the size of the fullest colour.
 * @param {ArrayLike<number>} x @param {number[]} shape @param {number} strong */
export function heatOf(x, [H, W, C], strong, start = 0) {
  const image = new ImageData(W, H);
  for (let p = 0; p < H * W; p++) {
    let sum = 0;
    for (let c = 0; c < C; c++) sum += x[start + p * C + c] || 0;
    const t = Math.max(-1, Math.min(1, sum / strong));
    image.data.set(t > 0 ? [220, 60, 40, 255 * t] : [60, 100, 210, -255 * t], 4 * p);
  }
  return image;
}

/** @param {string} name @param {Element} element */
export const token = (name, element = document.querySelector(".reparam") ?? document.body) => getComputedStyle(element).getPropertyValue(name).trim();

/** Bars of a vector or the curve of a window, with its band, in a context of a size.
 * @param {CanvasRenderingContext2D} g @param {number} width @param {number} height @param {string} kind
 * @param {ArrayLike<number>} x @param {number} start @param {number} size
 * @param {{low: number, high: number, sd?: ArrayLike<number>, second?: ArrayLike<number>}} look */
export function plot(g, width, height, kind, x, start, size, look) {
  const { low, high, sd, second } = look;
  /** @param {number} value */
  const up = (value) => height - 3 - ((value - low) / (high - low || 1)) * (height - 6);
  const [ink, soft, accent] = [token("--ink"), token("--line"), token("--accent")];
  g.clearRect(0, 0, width, height);
  if (kind === "vector") {
    const zero = up(Math.max(low, Math.min(high, 0)));
    const w = width / size;
    g.fillStyle = accent;
    for (let i = 0; i < size; i++) g.fillRect(i * w + w * 0.12, Math.min(zero, up(x[start + i])), w * 0.76, Math.abs(up(x[start + i]) - zero) || 1);
    g.fillStyle = soft;
    g.fillRect(0, zero, width, 1);
    return;
  }
  /** @param {number} i */
  const across = (i) => 2 + (i / Math.max(1, size - 1)) * (width - 4);
  /** @param {ArrayLike<number>} values @param {string} colour @param {number} from */
  const line = (values, colour, from) => {
    g.beginPath();
    let down = false;
    for (let i = 0; i < size; i++) {
      const value = values[from + i];
      const alone = !down && !Number.isFinite(values[from + i + 1]);
      if (Number.isFinite(value)) g[down ? "lineTo" : "moveTo"](across(i), up(value));
      if (Number.isFinite(value) && (alone || i === size - 1) && !down) g.lineTo(across(i) - 2, up(value));
      down = Number.isFinite(value);
    }
    g.strokeStyle = colour;
    g.lineWidth = 1.5;
    g.stroke();
  };
  if (sd) {
    g.beginPath();
    for (let i = 0; i < size; i++) g.lineTo(across(i), up(x[start + i] + 2 * sd[start + i]));
    for (let i = size - 1; i >= 0; i--) g.lineTo(across(i), up(x[start + i] - 2 * sd[start + i]));
    g.globalAlpha = 0.18;
    g.fillStyle = accent;
    g.fill();
    g.globalAlpha = 1;
  }
  line(x, accent, start);
  if (second) line(second, ink, 0);
}

/** The lowest and highest number that a kind of data is drawn between. @param {any} info */
export function limits(info) {
  const lows = info.columns.map((/** @type {any} */ c) => c.low).filter(Number.isFinite);
  const highs = info.columns.map((/** @type {any} */ c) => c.high).filter(Number.isFinite);
  return lows.length ? { low: Math.min(...lows), high: Math.max(...highs) } : { low: -3, high: 3 };
}

/** A cell of a table in words. @param {any} column @param {number} value */
export function words(column, value) {
  if (value === null || Number.isNaN(value)) return "–";
  if (column.categories) return column.categories[Math.round(value)] ?? "?";
  if (column.kind === "date") return new Date(value * 1000).toISOString().slice(0, 10);
  return Number.isFinite(value) ? value.toFixed(column.decimals ?? 2) : "–";
}

/** One datum. `x` holds rows of any number, of which number `i` is shown.
 * @param {{x: ArrayLike<number>, i?: number, model?: number, sd?: ArrayLike<number>, second?: ArrayLike<number>, label?: string, few?: number,
 *   wide?: boolean}} props */
export function Picture({ x, i = 0, model = 0, sd, second, label = "", few = 0, wide = false }) {
  const store = useStore();
  const info = store.infos[model];
  const canvas = useRef(null);
  const { shape } = info;
  const size = sizeOf(info);
  useEffect(() => {
    const c = canvas.current;
    if (!c || !x) return;
    if (info.kind === "image") {
      [c.height, c.width] = shape;
      c.getContext("2d").putImageData(imageOf(x, shape, i * size), 0, 0);
    } else {
      const ratio = wide ? 3 : 1.6;
      [c.width, c.height] = wide ? [720, 720 / ratio] : [192, 120];
      plot(c.getContext("2d"), c.width, c.height, info.kind, x, i * size, size, { ...limits(info), sd, second });
    }
  });
  if (info.kind === "table") return html`<${Card} x=${x} i=${i} info=${info} few=${few} />`;
  return html`<canvas class=${`picture ${info.kind}`} ref=${canvas} role="img" aria-label=${label || "a decoded datum"}></canvas>`;
}

/** How many numbers one datum has. @param {any} info @returns {number} */
export const sizeOf = (info) => info.shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);

/** A row as a list of its columns; `marks` (nats a cell) shades the unlikely ones.
 * @param {{x: ArrayLike<number>, i: number, info: any, few: number}} props */
function Card({ x, i, info, few }) {
  const columns = few ? info.columns.slice(0, few) : info.columns;
  return html`<dl class="card">
    ${columns.map((/** @type {any} */ column, /** @type {number} */ j) => html`<div><dt>${column.name}</dt><dd>${words(column, x[i * info.columns.length + j])}</dd></div>`)}
    ${few && info.columns.length > few ? html`<div class="quiet"><dt>and ${info.columns.length - few} more</dt></div>` : null}
  </dl>`;
}
