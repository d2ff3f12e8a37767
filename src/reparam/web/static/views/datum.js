/** Your datum: drawn, dropped, pasted or taken from the data; what the model makes of it, and what it puts in gaps. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useNewest, useStore } from "../store.js";
import { tensor } from "../safetensors.js";
import { heatOf, Picture, sizeOf, words } from "../pictures.js";
import { ImageEditor } from "./draw.js";
import { SeriesEditor, TableEditor, UNLIKELY, VectorEditor } from "./fields.js";
import { judge, oneIn } from "./judge.js";

/** Imputations that are shown. */
const DRAWS = 6;

/** @param {any} info @param {number[]} x */
function wire(info, x) {
  const { shape } = info;
  const data = info.kind === "table" || info.kind === "series" ? Float64Array.from(x) : Float32Array.from(x);
  return { x: info.kind === "series" ? tensor(data, info.window, 1) : tensor(data, 1, ...shape) };
}

/** The last of the rows of an answer: of a series, that of the whole window. @param {any} array @param {number} rows */
const lastOf = (array, rows) => array && Array.from(array.data.slice(-(array.data.length / rows)));

export function DatumView() {
  const store = useStore();
  const { state, info } = store;
  const { shape } = info;
  const size = sizeOf(info);
  const datum = state.datum?.x?.length === size ? state.datum : null;
  const [tool, setTool] = useState("draw");
  const [seen, setSeen] = useState(/** @type {any} */ ({}));
  const ask = useNewest(async (/** @type {number[]} */ x) => {
    const rows = info.kind === "series" ? info.window : 1;
    const holes = x.some(Number.isNaN);
    const arrays = wire(info, x);
    /** @type {any} */
    const found = { holes };
    const [code, score, given] = await Promise.all(["encode", "score", "conditional"].map((verb) => (store.can(verb) ? store.ask(verb, arrays, { missing: holes }) : null)));
    if (given) found.cells = judge(info, x, given.arrays);
    if (code) {
      found.mean = lastOf(code.arrays.mean, rows);
      found.sd = lastOf(code.arrays.sd, rows);
      found.probabilities = lastOf(code.arrays.probabilities, rows);
      const y = info.labels && found.probabilities ? found.probabilities.indexOf(Math.max(...found.probabilities)) : store.state.y;
      const { arrays: decoded } = await store.decode([found.mean], y);
      Object.assign(found, { x: decoded.x.data, band: decoded.sd?.data, y });
    }
    if (score) {
      found.log_px = lastOf(score.arrays.log_px, rows)[0];
      found.percentile = lastOf(score.arrays.percentile, rows)?.[0];
      if (info.kind === "image") found.pixels = lastOf(score.arrays.cells, 1);
    }
    if (holes && store.can("impute")) {
      const filled = await store.ask("impute", arrays, { draws: DRAWS, seed: 0 });
      found.filled = filled.arrays.x.data;
    }
    setSeen(found);
    store.set({ datum: { ...store.state.datum, log_px: found.log_px, percentile: holes && !info.window ? undefined : found.percentile, probabilities: found.probabilities, mean: found.mean,
      imputations: found.filled ? DRAWS : 0, unlikely: found.cells?.map((/** @type {any} */ c) => Number.isNaN(c.tail) ? null : c.tail) ?? null }, error: "" });
  });
  const text = datum ? datum.x.join() : "";
  useEffect(() => {
    if (datum) ask(datum.x);
  }, [text, state.model]);
  /** @param {number[]} x @param {object} more */
  const put = (x, more = {}) => store.set({ datum: { index: -1, key: null, y: -1, shape, x, ...more } });
  const take = useNewest(async (/** @type {number} */ index) => {
    if (index >= 0 && index < info.n_data) await store.pick(index);
  });
  useEffect(() => {
    if (datum) return;
    if (info.kind !== "image" && store.can("data") && info.n_data) take(info.kind === "series" ? Math.min(info.n_data - 1, 4 * info.window) : 0);
  }, []);
  const x = datum?.x ?? new Array(size).fill(info.kind === "image" ? 0 : NaN);
  const Editor = info.kind === "image" ? ImageEditor : info.kind === "table" ? TableEditor : info.kind === "series" ? SeriesEditor : VectorEditor;
  return html`<section class="view datum-view">
    <div class="edit">
      <h2>${datum?.index >= 0 ? info.window ? `Window to ${datum.key ?? datum.index}` : (datum.key ?? `Row ${datum.index}`) : "Your datum"}</h2>
      <${Editor} x=${x} put=${put} tool=${tool} setTool=${setTool} seen=${seen} take=${take} datum=${datum} />
      ${store.can("impute") ? null : html`<p class="quiet">Gaps are not filled here: draws of this kind of data need Python (reparam explore).</p>`}
      ${store.can("score") ? null : html`<p class="quiet">log p(x) is not shown here: ${info.kind === "series" ? "that of a window" : "its graph"} needs Python (reparam explore).</p>`}
      ${store.can("data") ? html`<p class="row"><label>row of the data<input type="number" min="0" max=${info.n_data - 1} value=${datum?.index >= 0 ? datum.index : ""}
        aria-label="Row of the data" onChange=${(/** @type {any} */ e) => take(+e.target.value)} /></label>
        <button onClick=${() => take(Math.floor(Math.random() * info.n_data))}>any row</button></p>` : null}
    </div>
    <${Verdict} seen=${datum ? seen : {}} x=${x} />
  </section>`;
}

/** What the model says of the datum. @param {{seen: any, x: number[]}} props */
function Verdict({ seen, x }) {
  const store = useStore();
  const { info, state } = store;
  const { shape } = info;
  const heat = useRef(null);
  useEffect(() => {
    if (!heat.current || !seen.pixels) return;
    [heat.current.height, heat.current.width] = shape;
    const { unlikely, most } = unlikelihood(seen.pixels);
    heat.current.getContext("2d").putImageData(heatOf(unlikely, [...shape.slice(0, 2), shape[2]], most), 0, 0);
  });
  if (!seen.mean && seen.log_px === undefined) return html`<div class="verdict"><p class="quiet">${info.kind === "image" ? "Draw, drop a picture on the page, or take a row." : "Take a row, or enter one."}</p></div>`;
  const p = seen.probabilities;
  return html`<div class="verdict">
    ${seen.log_px !== undefined ? html`<p class="figure"><strong>${seen.log_px.toFixed(1)}</strong> nats<span class="quiet"> log p${info.window ? " of the last step" : seen.holes ? " of what is given" : "(x)"}</span></p>
      ${seen.holes && !info.window ? html`<p class="quiet">What is missing is left out, so this does not compare with the scores of whole rows.${info.missing ? "" : " The code is a guess: this model was trained without gaps."}</p>` : Number.isFinite(seen.percentile) ? html`<div class="percentile" role="img" aria-label=${`more likely than ${seen.percentile.toFixed(0)} percent of the data`}><i style=${`left:${seen.percentile}%`}></i></div>
        <p class="quiet">${seen.percentile < 1 ? "less likely than almost all of the data" : `as likely as, or likelier than, ${seen.percentile.toFixed(0)} % of the data`}</p>` : null}` : null}
    ${p ? html`<h3>Class</h3><ul class="bars">${info.classes.map((/** @type {string} */ name, /** @type {number} */ k) => html`<li class=${p[k] === Math.max(...p) ? "top" : ""}><span>${name}</span><i><b style=${`width:${100 * p[k]}%`}></b></i><span>${(100 * p[k]).toFixed(0)}%</span></li>`)}</ul>` : null}
    ${(info.kind === "image" || info.kind === "vector") && seen.x ? html`<div class="pair"><figure><figcaption>reconstruction</figcaption><${Picture} x=${seen.x} model=${state.model} label="reconstruction" /></figure>
      ${info.kind === "image" && seen.pixels ? html`<figure><figcaption>unlikely pixels</figcaption><span class="stack"><${Picture} x=${x} model=${state.model} label="datum" /><canvas ref=${heat} role="img" aria-label="pixels that are less likely than usual in red"></canvas></span></figure>` : null}</div>` : null}
    ${seen.cells ? html`<${Unlikely} cells=${seen.cells} x=${x} info=${info} />` : null}
    ${seen.filled && info.kind === "table" ? html`<${Guesses} filled=${seen.filled} x=${x} info=${info} />` : null}
    ${seen.filled && info.kind !== "table" ? html`<h3>What might be there</h3><div class="tiles">${Array.from({ length: DRAWS }, (_, i) => html`<span class="tile"><${Picture} x=${drawn(info, seen.filled, i)} model=${state.model} label=${`imputation ${i + 1}`} /></span>`)}</div>` : null}
    ${seen.mean ? html`<h3>Code</h3><div class="code">${seen.mean.slice(0, 64).map((/** @type {number} */ m, /** @type {number} */ k) => html`<span title=${`z${k}`}>${m.toFixed(2)}<small> ± ${(seen.sd?.[k] ?? 0).toFixed(2)}</small></span>`)}</div>
      <p class="row"><button onClick=${() => (store.move(seen.mean, seen.y ?? state.y), store.set({ view: "sliders" }))}>open in sliders</button>
      <button onClick=${() => (store.move(seen.mean, seen.y ?? state.y), store.set({ view: "map" }))}>show on the map</button></p>` : null}
  </div>`;
}

/** The cells that the others make least likely. @param {{cells: import("./judge.js").Judged[], x: number[], info: any}} props */
function Unlikely({ cells, x, info }) {
  const worst = cells.map(({ tail }, j) => ({ tail, j })).filter(({ tail }) => tail < UNLIKELY).sort((a, b) => a.tail - b.tail);
  return html`<h3>Unusual given the rest</h3>${worst.length ? html`<ul class="unusual">${worst.slice(0, 5).map(({ tail, j }) => html`<li><b>${info.columns[j].name}</b> ${words(info.columns[j], x[j])}
    <span class="quiet">usually ${cells[j].usual}</span><em>${oneIn(tail)}</em></li>`)}</ul>` : html`<p class="quiet">No cell: each is what the others let expect.</p>`}`;
}

/** Several rows that the open fields may complete. @param {{filled: ArrayLike<number>, x: number[], info: any}} props */
function Guesses({ filled, x, info }) {
  const open = x.map((v, j) => (Number.isNaN(v) ? j : -1)).filter((j) => j >= 0);
  return html`<h3>What might be there</h3><div class="scroll"><table class="guesses"><thead><tr>${open.map((j) => html`<th scope="col">${info.columns[j].name}</th>`)}</tr></thead>
    <tbody>${Array.from({ length: DRAWS }, (_, i) => html`<tr>${open.map((j) => html`<td>${words(info.columns[j], filled[i * x.length + j])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** Number `i` of the imputations of one datum. @param {any} info @param {ArrayLike<number>} filled @param {number} i */
function drawn(info, filled, i) {
  const size = sizeOf(info);
  return Array.prototype.slice.call(filled, i * size, (i + 1) * size);
}

/** How much less likely than the datum's median each cell is, nats. @param {number[]} cells */
function unlikelihood(cells) {
  const sorted = cells.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const unlikely = cells.map((v) => (Number.isFinite(v) ? Math.max(0, middle - v) : 0));
  return { unlikely, most: Math.max(1, ...unlikely) };
}
