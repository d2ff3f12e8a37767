/** Samples, anomalies, training, the model, and two models side by side. */
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useNewest, useStore } from "../store.js";
import { tensor } from "../safetensors.js";
import { Picture, words } from "../pictures.js";
import { Choice } from "./choice.js";
import { Legend, MapControls } from "./colouring.js";
import { Map2D, Selection } from "./map.js";
import { saveCsv } from "../files.js";

export function SamplesView() {
  const store = useStore();
  const { info, state } = store;
  const [temperature, setTemperature] = useState(1);
  const [seed, setSeed] = useState(0);
  const [y, setY] = useState(-1);
  const [drawn, setDrawn] = useState(/** @type {any} */ (null));
  const n = info.kind === "table" ? 12 : 36;
  const ask = useNewest(async (/** @type {any} */ arrays, /** @type {any} */ options) => {
    const found = await store.ask("sample", arrays, options);
    setDrawn(found.arrays);
  });
  useEffect(() => {
    ask(y >= 0 ? { y: tensor(new Int32Array(n).fill(y), n) } : {}, { n, temperature, seed });
  }, [temperature, seed, y, state.model]);
  const L = info.latent_dim;
  return html`<section class="view"><div class="controls">
      ${info.temperature ? html`<label>temperature<input type="range" min="0" max="2" step="0.05" value=${temperature} aria-label="Temperature" onInput=${(/** @type {any} */ e) => setTemperature(+e.target.value)} /><output>${temperature.toFixed(2)}</output></label>` : null}
      ${info.labels ? html`<${Choice} label="class" name="Class" value=${y} options=${[[-1, "any"], ...info.classes.entries()]} set=${(/** @type {string} */ k) => setY(+k)} />` : null}
      <button onClick=${() => setSeed(seed + 1)}>draw again</button><span class="quiet">seed ${seed}</span></div>
    <div class=${`grid ${info.kind}`}>${drawn ? Array.from({ length: drawn.x.shape[0] }, (_, i) => html`<button class="tile" aria-label=${info.kind === "table" ? undefined : `take sample ${i + 1}`}
      onClick=${() => (L && store.move(drawn.z.data.slice(i * L, (i + 1) * L), drawn.y ? drawn.y.data[i] : state.y), store.set({ view: L ? "sliders" : "samples" }))}>
      <${Picture} x=${drawn.x.data} i=${i} model=${state.model} label=${`sample ${i + 1}`} /></button>`) : null}</div></section>`;
}

export function AnomaliesView() {
  const store = useStore();
  const { info, state } = store;
  const [found, setFound] = useState(/** @type {any} */ (null));
  useEffect(() => {
    let live = true;
    (async () => {
      if (store.can("codes")) await store.scores(state.model); // block by block: to score many rows takes longer than one answer may
      const { arrays, info: more } = await store.ask("anomalies", {}, { n: Math.min(24, info.n_data) });
      const data = await store.ask("data", { index: arrays.index });
      if (live) setFound({ index: arrays.index.data, score: arrays.score.data, reasons: more.reasons, x: data.arrays.x.data, keys: data.info.keys });
    })().catch(store.failed);
    return () => {
      live = false;
    };
  }, [state.model]);
  if (!found) return html`<section class="view"><p class="quiet" role="status">Scoring ${info.n_data.toLocaleString("en")} rows… ${store.codes[state.model].scored ? `${Math.floor((100 * store.codes[state.model].scored) / info.n_data)} %` : ""}</p></section>`;
  /** @param {string} name @param {any} value */
  const shown = (name, value) => {
    const column = info.columns.find((/** @type {any} */ c) => c.name === name);
    return typeof value === "number" && column && !column.categories ? words(column, value) : String(value);
  };
  return html`<section class="view"><div class="controls"><h2>The least likely rows</h2>
      <button onClick=${() => saveCsv("anomalies.csv", ["row", "key", "log_p"], Array.from(found.index, (i, r) => [i, found.keys?.[r] ?? "", found.score[r]]))}>csv</button>
      <button onClick=${() => store.set({ selection: Array.from(found.index), view: "map" })}>select on the map</button></div>
    <ol class=${`anomalies ${info.kind}`}>${Array.from(found.index, (/** @type {number} */ index, r) => html`<li><button class="tile" onClick=${() => store.pick(index).then(() => store.set({ view: "datum" }), store.failed)} title="look closer">
      ${info.kind === "table" && found.reasons ? null : html`<${Picture} x=${found.x} i=${r} few=${8} model=${state.model} label=${`row ${index}`} />`}
      <span class="caption"><strong>${found.keys?.[r] ?? `row ${index}`}</strong><span>${found.score[r].toFixed(1)} nats</span></span>
      ${found.reasons ? html`<ul class="reasons">${found.reasons[r].filter((/** @type {any} */ why, /** @type {number} */ k) => !k || why.nats >= 0.05).map((/** @type {any} */ why) => html`<li><b>${why.column}</b> ${shown(why.column, why.value)}<span class="quiet"> expected ${shown(why.column, why.expected)}</span> <em>${why.nats.toFixed(1)}</em></li>`)}</ul>` : null}
    </button></li>`)}</ol></section>`;
}

/** @type {Record<string, string>} */
const LINES = { bound: "training", validation: "held out" };

/** One curve a column over epochs. @param {{rows: any[], names: string[], title: string}} props */
function Curves({ rows, names, title }) {
  const [W, H] = [innerWidth < 600 ? 370 : 560, 210];
  const held = names.map((name) => rows.map((row) => row[name]).map((v) => (typeof v === "number" ? v : NaN)));
  const all = held.flat().filter(Number.isFinite).sort((a, b) => a - b);
  if (all.length < 2) return null;
  const [low, high] = [all[0], all[Math.min(all.length - 1, Math.floor(all.length * 0.97) + 1)]];
  const x = (/** @type {number} */ i) => 52 + (i / Math.max(1, rows.length - 1)) * (W - 62);
  const y = (/** @type {number} */ v) => 10 + (1 - (Math.min(v, high) - low) / (high - low || 1)) * (H - 36);
  const short = (/** @type {number} */ v) => (Math.abs(v) >= 1000 ? v.toFixed(0) : v.toPrecision(3));
  return html`<figure class="chart"><figcaption>${title} <span class="quiet">${names.map((n, k) => html`<i class=${`line l${k}`}></i>${LINES[n] ?? ""} ${short(held[k].filter(Number.isFinite).at(-1) ?? 0)} `)}</span></figcaption>
    <svg viewBox=${`0 0 ${W} ${H}`} role="img" aria-label=${`${title} over ${rows.length} epochs`}>
      ${[low, (low + high) / 2, high].map((v) => html`<line class="rule" x1="52" x2=${W - 10} y1=${y(v)} y2=${y(v)} /><text x="46" y=${y(v) + 4} text-anchor="end">${short(v)}</text>`)}
      <text x="52" y=${H - 6}>epoch ${rows[0].epoch ?? 1}</text><text x=${W - 10} y=${H - 6} text-anchor="end">${rows.at(-1).epoch ?? rows.length}</text>
      ${held.map((values, k) => html`<polyline class=${`l${k}`} points=${values.map((v, i) => (Number.isFinite(v) ? `${x(i).toFixed(1)},${y(v).toFixed(1)}` : "")).join(" ")} />`)}</svg></figure>`;
}

export function TrainingView() {
  const store = useStore();
  const { info, state } = store;
  const [rows, setRows] = useState(/** @type {any[]} */ ([]));
  const [film, setFilm] = useState(/** @type {any} */ (null));
  const [at, setAt] = useState(0);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    store.ask("training").then(({ arrays, info: more }) => {
      setRows(more.history ?? []);
      if (arrays.samples) {
        setFilm({ ...arrays.samples, epochs: more.epochs });
        setAt(arrays.samples.shape[0] - 1);
      }
    }, store.failed);
    if (info.running && store.answerer.events)
      return store.answerer.events((row) => setRows((before) => (before.some((r) => r.epoch === row.epoch) ? before : [...before, row])));
    return undefined;
  }, [state.model]);
  useEffect(() => {
    if (!playing || !film) return undefined;
    const timer = setInterval(() => setAt((k) => (k + 1) % film.shape[0]), 350);
    return () => clearInterval(timer);
  }, [playing, film]);
  const has = (/** @type {string} */ name) => rows.some((row) => typeof row[name] === "number");
  const groups = [["Bound, nats", ["bound", "validation"]], ["Loss, nats", ["loss"]], ["KL (rate), nats", ["rate"]], ["Reconstruction (distortion), nats", ["distortion"]]];
  const per = film ? film.shape[1] : 0;
  return html`<section class="view"><h2>Training <span class="quiet">${rows.length} epochs${info.running ? ", running" : ""}</span></h2>
    ${film ? html`<figure class="film"><figcaption>Samples after epoch ${film.epochs[at] ?? at + 1}<button aria-pressed=${playing} onClick=${() => setPlaying(!playing)}>${playing ? "pause" : "play"}</button>
      <input type="range" min="0" max=${film.shape[0] - 1} value=${at} aria-label="Epoch" onInput=${(/** @type {any} */ e) => setAt(+e.target.value)} /></figcaption>
      <div class="tiles">${Array.from({ length: Math.min(per, 16) }, (_, i) => html`<span class="tile"><${Picture} x=${film.data} i=${at * per + i} few=${5} model=${state.model} /></span>`)}</div></figure>` : null}
    ${rows.length > 1 ? html`<div class="charts">${groups.map(([title, names]) => {
      const there = /** @type {string[]} */ (names).filter(has);
      return there.length ? html`<${Curves} rows=${rows} names=${there} title=${title} />` : null;
    })}</div>` : html`<p class="quiet">This model keeps no history.</p>`}</section>`;
}

export function ModelView() {
  const store = useStore();
  const { info, state } = store;
  const [more, setMore] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  /** @param {object} options */
  const ask = (options) => store.ask("model", {}, options).then((found) => setMore((/** @type {any} */ before) => ({ ...before, ...found.info })), store.failed);
  useEffect(() => {
    ask({ citation: true });
  }, []);
  const evaluate = async () => {
    setBusy(true);
    await ask({ evaluation: true });
    setBusy(false);
  };
  const facts = [["kind", info.kind], ["datum", info.window ? `window of ${info.window}` : info.columns.length && info.kind === "table" ? `${info.columns.length} columns` : info.event.join(" × ")],
    ["code", info.latents.map((/** @type {any} */ l) => `${l.kind} ${l.shape.join(" × ")}`).join(", ") || "none"], ["prior", info.prior], ["labels", info.labels ?? "none"],
    ["parameters", info.n_parameters.toLocaleString("en")], ["rows", info.n_data.toLocaleString("en")]];
  const { evaluation, diagnostics, citation, spec } = { ...info, ...more };
  return html`<section class="view model-view"><div>
      <h2>${info.name}</h2><dl class="facts">${facts.map(([k, v]) => html`<div><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>
      ${diagnostics.length ? html`<h3>Diagnostics</h3><ul class="diagnostics">${diagnostics.map((/** @type {any} */ d) => html`<li>${d.text}${d.cure ? html`<p>${d.cure}</p>` : null}</li>`)}</ul>` : null}
      <h3>Evaluation</h3>
      ${evaluation ? html`<dl class="facts">${evaluation.map((/** @type {string[]} */ [name, value, unit]) => html`<div><dt>${name}</dt><dd>${value} <span class="quiet">${unit}</span></dd></div>`)}</dl>`
        : store.can("codes") || info.n_data ? html`<button onClick=${evaluate} disabled=${busy}>${busy ? "evaluating…" : "evaluate on these data"}</button>` : html`<p class="quiet">There are no data beside this model.</p>`}
    </div><div><h3>Spec</h3><pre>${typeof spec === "string" ? spec : Object.entries(spec).map(([k, v]) => `${k} = ${typeof v === "string" ? v : JSON.stringify(v)}`).join("\n")}</pre>
      ${citation ? html`<h3>Citation</h3><pre>${citation}</pre>` : null}</div></section>`;
}

const ignored = () => {};

export function CompareView() {
  const store = useStore();
  const [tool, setTool] = useState("lasso");
  return html`<section class="view compare-view"><${MapControls} tool=${tool} setTool=${setTool} />
    <div class="two">${store.infos.map((info, model) => html`<div><h2>${info.name}</h2><${Map2D} key=${model} model=${model} tool=${tool} onPath=${ignored} /></div>`)}</div>
    <${Legend} model=${0} /><footer class="foot"><span>A selection in one map is the same rows in the other.</span><${Selection} /></footer></section>`;
}
