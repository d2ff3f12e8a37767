/** Rows of tables, windows of series and vectors as what can be edited. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { limits, Picture, plot, words } from "../pictures.js";

/** A row of a table, with the distribution of each column. @param {any} props */
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
  const size = info.columns.length;
  return html`<form class="fields" onPaste=${paste} onSubmit=${(/** @type {Event} */ e) => e.preventDefault()} aria-label="Columns of the row">
    ${info.columns.map((/** @type {any} */ column, /** @type {number} */ j) => {
      const value = x[j];
      const blank = Number.isNaN(value) || value === null;
      const filled = blank && seen.filled ? Array.from({ length: seen.draws }, (_, i) => seen.filled[i * size + j]) : null;
      const nats = seen.cells?.[j];
      return html`<div class=${`field ${!blank && nats < -6 ? "unlikely" : ""}`}>
        <label for=${`c${j}`}>${column.name}</label>
        ${column.categories
          ? html`<select id=${`c${j}`} value=${blank ? "" : value} onChange=${(/** @type {any} */ e) => set(j, e.target.value === "" ? NaN : +e.target.value)}>
              <option value="" selected=${blank}>–</option>${column.categories.map((/** @type {string} */ c, /** @type {number} */ k) => html`<option value=${k} selected=${k === value}>${c}</option>`)}</select>`
          : html`<input id=${`c${j}`} type=${column.kind === "date" ? "date" : "number"} step="any" value=${blank ? "" : words(column, value)}
              onChange=${(/** @type {any} */ e) => set(j, parse(column, e.target.value))} />`}
        ${store.can("impute") ? html`<button class="quiet" aria-label=${`blank ${column.name}`} disabled=${blank} onClick=${() => set(j, NaN)}>blank</button>` : html`<span></span>`}
        <${Spread} column=${column} given=${seen.columns?.[j]} draws=${filled} value=${blank ? NaN : value} />
        <span class="nats">${blank ? (filled ? "guessed" : "") : Number.isFinite(nats) ? `${nats.toFixed(1)}` : ""}</span></div>`;
    })}
    <p class="quiet">Nats of each cell at the right. ${store.can("impute") ? "Blank a field to see what it may be; paste" : "Paste"} a row from a spreadsheet.</p></form>`;
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

/** p(column | code), or the guesses of a blank, as a small picture. @param {{column: any, given: any, draws: number[] | null, value: number}} props */
function Spread({ column, given, draws, value }) {
  const [W, H] = [150, 26];
  const k = column.categories?.length;
  /** @type {number[]} */
  let bars = [];
  const [low, high] = k ? [-0.5, k - 0.5] : [column.low, column.high];
  if (draws) {
    const n = k ?? 20;
    bars = new Array(n).fill(0);
    for (const d of draws) bars[Math.max(0, Math.min(n - 1, Math.floor(((d - low) / (high - low || 1)) * n)))]++;
  } else if (given?.probabilities) bars = given.probabilities[0];
  const top = Math.max(...bars, 1e-9);
  const across = (/** @type {number} */ v) => Math.max(0, Math.min(W, ((v - low) / (high - low || 1)) * W));
  const q = given?.quantiles?.[0];
  const about = bars.length && k ? column.categories.map((/** @type {string} */ c, /** @type {number} */ i) => `${c} ${Math.round((100 * bars[i]) / bars.reduce((a, b) => a + b, 0))} %`).join(", ") : q ? `5 to 95 %: ${words(column, q[0])} to ${words(column, q[q.length - 1])}` : "";
  return html`<svg class=${`spread ${draws ? "guess" : ""}`} viewBox=${`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label=${about}><title>${about}</title>
    <line x1="0" x2=${W} y1=${H - 1} y2=${H - 1} />
    ${bars.map((b, i) => html`<rect x=${(i + 0.1) * (W / bars.length)} width=${(0.8 * W) / bars.length} y=${H - 1 - (b / top) * (H - 3)} height=${(b / top) * (H - 3)} />`)}
    ${!bars.length && q ? html`<rect class="far" x=${across(q[0])} width=${Math.max(1, across(q[4]) - across(q[0]))} y="10" height="7" /><rect x=${across(q[1])} width=${Math.max(1, across(q[3]) - across(q[1]))} y="7" height="13" />` : null}
    ${Number.isFinite(value) ? html`<line class="here" x1=${across(value)} x2=${across(value)} y1="1" y2=${H} />` : null}</svg>`;
}

/** A window of a series. @param {any} props */
export function SeriesEditor({ x, put, take, datum, seen }) {
  const store = useStore();
  const { info } = store;
  const canvas = useRef(null);
  const [whole, setWhole] = useState(/** @type {any} */ (null));
  const overview = useRef(null);
  useEffect(() => {
    if (store.can("data")) store.ask("data", {}, { start: Math.max(0, info.n_data - 65536), stop: info.n_data }).then(({ arrays }) => setWhole(arrays.x.data), (error) => store.set({ error: error.message }));
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
    plot(c.getContext("2d"), 720, 220, "series", seen.x ?? x, 0, info.window, { ...limits(info), sd: seen.band, second: x });
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
