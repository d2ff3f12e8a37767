/** Rows of tables, windows of series and vectors as what can be edited. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { limits, Picture, plot, words } from "../pictures.js";
import { percent } from "./judge.js";

/** A cell is marked where this much of its distribution or less is as far out. */
export const UNLIKELY = 0.02;

/** A row of a table, with the distribution of each cell given the others. @param {any} props */
export function TableEditor({ x, put, seen }) {
  const store = useStore();
  const { info } = store;
  /** @param {number} j @param {number} value */
  const set = (j, value) => put(x.map((/** @type {number} */ v, /** @type {number} */ k) => (k === j ? value : v)), { index: store.state.datum?.index ?? -1, key: store.state.datum?.key ?? null });
  /** @param {any} event */
  const paste = (event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    const cells = text.split(/\r?\n/)[0].split(text.includes("\t") ? "\t" : /[,;]/);
    if (cells.length !== info.columns.length) return;
    event.preventDefault();
    put(info.columns.map((/** @type {any} */ column, /** @type {number} */ j) => parse(column, cells[j].trim())));
  };
  return html`<form class="fields" onPaste=${paste} onSubmit=${(/** @type {Event} */ e) => e.preventDefault()} aria-label="Columns of the row">
    ${info.columns.map((/** @type {any} */ column, /** @type {number} */ j) => {
      const value = x[j];
      const blank = Number.isNaN(value) || value === null;
      const judged = seen.cells?.[j];
      return html`<div class=${`field ${blank ? "blank" : judged?.tail < UNLIKELY ? "unlikely" : ""}`}>
        <label for=${`c${j}`}>${column.name}</label>
        ${column.categories
          ? html`<select id=${`c${j}`} value=${blank ? "" : value} onChange=${(/** @type {any} */ e) => set(j, e.target.value === "" ? NaN : +e.target.value)}>
              <option value="" selected=${blank}>–</option>${column.categories.map((/** @type {string} */ c, /** @type {number} */ k) => html`<option value=${k} selected=${k === value}>${c}</option>`)}</select>`
          : html`<input id=${`c${j}`} type=${column.kind === "date" ? "date" : "number"} step="any" value=${blank ? "" : words(column, value)}
              onChange=${(/** @type {any} */ e) => set(j, parse(column, e.target.value))} />`}
        <button class="quiet" aria-label=${`blank ${column.name}`} disabled=${blank} onClick=${() => set(j, NaN)}>blank</button>
        ${judged ? html`<${Spread} column=${column} judged=${judged} value=${blank ? NaN : value} />
        <span class="usual">${judged.usual}</span>` : null}</div>`;
    })}
    <p class="quiet">${seen.cells ? "Beside each field its distribution given the other fields, and what is usual: the likeliest category, or the middle 80 %. " : ""}Blank a field to leave it open; paste a row from a spreadsheet.</p></form>`;
}

/** @param {any} column @param {string} text */
function parse(column, text) {
  if (text === "") return NaN;
  if (column.categories) {
    const k = column.categories.indexOf(text);
    return k < 0 ? NaN : k;
  }
  return column.kind === "date" ? Date.parse(text) / 1000 : +text;
}

/** p(column | the other columns) as a small picture. @param {{column: any, judged: import("./judge.js").Judged, value: number}} props */
function Spread({ column, judged, value }) {
  const [W, H] = [150, 26];
  const { bars } = judged;
  const top = Math.max(...bars);
  const [low, high] = column.categories ? [-0.5, bars.length - 0.5] : [column.low, column.high];
  const at = Math.max(0, Math.min(W, ((value - low) / (high - low || 1)) * W));
  const about = column.categories ? column.categories.map((/** @type {string} */ c, /** @type {number} */ k) => `${c} ${percent(bars[k])}`).slice(0, 12).join(", ") : `the middle 80 %: ${judged.usual}`;
  return html`<svg class="spread" viewBox=${`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label=${`${column.name}: ${about}`}><title>${about}</title>
    <line x1="0" x2=${W} y1=${H - 1} y2=${H - 1} />
    ${bars.map((b, k) => html`<rect x=${(k + 0.06) * (W / bars.length)} width=${(0.88 * W) / bars.length} y=${H - 1 - (b / top) * (H - 3)} height=${(b / top) * (H - 3)} />`)}
    ${Number.isFinite(value) ? html`<line class="here" x1=${at} x2=${at} y1="0" y2=${H} />` : null}</svg>`;
}

/** A window of a series. @param {any} props */
export function SeriesEditor({ x, put, take, datum, seen }) {
  const store = useStore();
  const { info } = store;
  const canvas = useRef(null);
  const [whole, setWhole] = useState(/** @type {any} */ (null));
  const overview = useRef(null);
  useEffect(() => {
    if (store.can("data")) store.ask("data", {}, { start: Math.max(0, info.n_data - 65536), stop: info.n_data }).then(({ arrays }) => setWhole(arrays.x.data), store.failed);
  }, [info]);
  useEffect(() => {
    const c = overview.current;
    if (!c || !whole) return;
    [c.width, c.height] = [720, 80];
    const g = c.getContext("2d");
    const step = Math.max(1, Math.floor(whole.length / 720));
    const some = Array.from({ length: Math.floor(whole.length / step) }, (_, i) => whole[i * step]);
    plot(g, 720, 80, "series", some, 0, some.length, limits(info));
    if (datum?.index >= 0) {
      g.fillStyle = "rgba(200,80,60,.25)";
      g.fillRect((720 * (datum.index - info.window + 1)) / info.n_data, 0, Math.max(3, (720 * info.window) / info.n_data), 80);
    }
  });
  useEffect(() => {
    const c = canvas.current;
    [c.width, c.height] = [720, 220];
    const expected = seen.x ?? x;
    const far = Array.from(seen.band ?? [], (sd, i) => [expected[i] - 2 * sd, expected[i] + 2 * sd]).flat();
    const { low, high } = limits(info);
    plot(c.getContext("2d"), 720, 220, "series", expected, 0, info.window, { low: Math.min(low, ...far), high: Math.max(high, ...far), sd: seen.band, second: x });
  });
  /** @param {PointerEvent} event */
  const erase = (event) => {
    if (!event.buttons || !store.can("impute")) return;
    const box = canvas.current.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * info.window;
    const reach = info.window / 40;
    put(x.map((/** @type {number} */ v, /** @type {number} */ i) => (Math.abs(i + 0.5 - at) <= reach ? NaN : v)), { index: datum?.index ?? -1 });
  };
  return html`<canvas class="curve" ref=${canvas} role="img" aria-label="The window: black is what was given, the colour what the model expects, with two standard deviations."
      onPointerDown=${erase} onPointerMove=${erase}></canvas>
    ${whole ? html`<canvas class="curve overview" ref=${overview} role="img" aria-label="The whole series"></canvas>
      <label class="wide">window<input type="range" min=${info.window - 1} max=${info.n_data - 1} step="1" value=${datum?.index ?? 0} aria-label="Last step of the window" onInput=${(/** @type {any} */ e) => take(+e.target.value)} /></label>` : null}
    ${store.can("impute") ? html`<p class="quiet">Drag over the curve to erase a part and see what may have been there.</p>` : null}`;
}

/** A vector as numbers. @param {any} props */
export function VectorEditor({ x, put }) {
  const store = useStore();
  return html`<${Picture} x=${x} wide=${true} model=${store.state.model} label="the vector" />
    <label class="wide">numbers, with commas<textarea rows="5" aria-label="Numbers of the vector" value=${x.map((/** @type {number} */ v) => (Number.isNaN(v) ? "" : +v.toFixed(4))).join(", ")}
      onChange=${(/** @type {any} */ e) => {
        const numbers = e.target.value.split(",").map((/** @type {string} */ t) => (t.trim() === "" ? NaN : +t));
        if (numbers.length === x.length) put(numbers);
        else store.set({ error: `these are ${numbers.length} numbers; the model takes ${x.length}` });
      }}></textarea></label>`;
}
