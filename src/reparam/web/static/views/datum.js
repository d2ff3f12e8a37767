/** Your datum: drawn, dropped, pasted or taken from the data; what the model makes of it, and what it puts in gaps. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { newest, useStore } from "../store.js";
import { tensor } from "../safetensors.js";
import { heatOf, imageOf, limits, Picture, plot, sizeOf, words } from "../pictures.js";

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
  const ask = useRef(null);
  ask.current ??= newest(async (/** @type {number[]} */ x) => {
    try {
      const rows = info.kind === "series" ? info.window : 1;
      const holes = x.some(Number.isNaN);
      const arrays = wire(info, x);
      const known = info.kind === "image" || info.kind === "vector" ? { x: tensor(Float32Array.from(x, (v) => (Number.isNaN(v) ? 0 : v)), 1, ...shape) } : arrays;
      const asked = holes && info.kind !== "table" && info.kind !== "series" ? known : arrays;
      /** @type {any} */
      const found = { holes };
      const [code, score] = await Promise.all([store.can("encode") ? store.ask("encode", asked) : null, store.can("score") ? store.ask("score", asked) : null]);
      if (code) {
        found.mean = lastOf(code.arrays.mean, rows);
        found.sd = lastOf(code.arrays.sd, rows);
        found.probabilities = lastOf(code.arrays.probabilities, rows);
        const y = info.labels && found.probabilities ? found.probabilities.indexOf(Math.max(...found.probabilities)) : store.state.y;
        const { arrays: decoded, info: more } = await store.decode([found.mean], y, { distribution: info.kind === "table" });
        Object.assign(found, { x: decoded.x.data, band: decoded.sd?.data, columns: more.columns, y });
      }
      if (score) {
        found.log_px = lastOf(score.arrays.log_px, rows)[0];
        found.percentile = lastOf(score.arrays.percentile, rows)?.[0];
        found.cells = score.arrays.cells && (info.kind === "series" ? Array.from(score.arrays.cells.data) : lastOf(score.arrays.cells, rows));
      }
      if (holes && store.can("impute")) {
        const draws = info.kind === "table" ? 64 : 6;
        const filled = await store.ask("impute", arrays, { draws, seed: 0 });
        Object.assign(found, { filled: filled.arrays.x.data, draws });
      }
      setSeen(found);
      store.set({ datum: { ...store.state.datum, log_px: found.log_px, percentile: found.percentile, probabilities: found.probabilities, mean: found.mean,
        imputations: found.draws ?? 0 }, error: "" });
    } catch (error) {
      store.set({ error: error.message });
    }
  });
  const text = datum ? datum.x.join() : "";
  useEffect(() => {
    if (datum) ask.current(datum.x);
  }, [text, state.model]);
  /** @param {number[]} x @param {object} more */
  const put = (x, more = {}) => store.set({ datum: { index: -1, key: null, y: -1, shape, x, ...more } });
  /** @param {number} index */
  const take = async (index) => {
    if (index >= 0 && index < info.n_data) await store.pick(index).catch((error) => store.set({ error: error.message }));
  };
  useEffect(() => {
    if (datum) return;
    if (info.kind !== "image" && store.can("data") && info.n_data) take(info.kind === "series" ? Math.min(info.n_data - 1, 4 * info.window) : 0);
  }, []);
  const x = datum?.x ?? new Array(size).fill(info.kind === "image" ? 0 : NaN);
  const Editor = info.kind === "image" ? ImageEditor : info.kind === "table" ? TableEditor : info.kind === "series" ? SeriesEditor : VectorEditor;
  return html`<section class="view datum-view">
    <div class="edit">
      <h2>${datum?.index >= 0 ? (datum.key ?? `Row ${datum.index}`) : "Your datum"}</h2>
      <${Editor} x=${x} put=${put} tool=${tool} setTool=${setTool} seen=${seen} take=${take} datum=${datum} />
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
    if (!heat.current || !seen.cells) return;
    [heat.current.height, heat.current.width] = shape;
    const { strange, strong } = strangeness(seen.cells);
    heat.current.getContext("2d").putImageData(heatOf(strange, [...shape.slice(0, 2), shape[2]], strong), 0, 0);
  });
  if (!seen.mean && seen.log_px === undefined) return html`<div class="verdict"><p class="quiet">${info.kind === "image" ? "Draw, drop a picture on the page, or take a row." : "Take a row, or enter one."}</p></div>`;
  const p = seen.probabilities;
  return html`<div class="verdict">
    ${seen.log_px !== undefined ? html`<p class="figure"><strong>${seen.log_px.toFixed(1)}</strong> nats<span class="quiet"> log p(x)</span></p>
      ${Number.isFinite(seen.percentile) ? html`<div class="percentile" role="img" aria-label=${`more likely than ${seen.percentile.toFixed(0)} percent of the data`}><i style=${`left:${seen.percentile}%`}></i></div>
        <p class="quiet">${seen.percentile < 1 ? "less likely than almost all of the data" : `as likely as, or likelier than, ${seen.percentile.toFixed(0)} % of the data`}</p>` : null}` : null}
    ${p ? html`<h3>Class</h3><ul class="bars">${info.classes.map((/** @type {string} */ name, /** @type {number} */ k) => html`<li class=${p[k] === Math.max(...p) ? "top" : ""}><span>${name}</span><i><b style=${`width:${100 * p[k]}%`}></b></i><span>${(100 * p[k]).toFixed(0)}%</span></li>`)}</ul>` : null}
    ${info.kind !== "table" && seen.x ? html`<div class="pair"><figure><figcaption>reconstruction</figcaption><${Picture} x=${seen.x} sd=${seen.band} second=${info.kind === "series" ? x : undefined} wide=${info.kind === "series"} model=${state.model} label="reconstruction" /></figure>
      ${info.kind === "image" && seen.cells ? html`<figure><figcaption>strange pixels</figcaption><span class="stack"><${Picture} x=${x} model=${state.model} label="datum" /><canvas ref=${heat} role="img" aria-label="pixels that are less likely than usual in red"></canvas></span></figure>` : null}</div>` : null}
    ${seen.filled && info.kind !== "table" ? html`<h3>What might be there</h3><div class="tiles">${Array.from({ length: seen.draws }, (_, i) => html`<span class="tile"><${Picture} x=${drawn(info, seen.filled, i)} model=${state.model} label=${`imputation ${i + 1}`} /></span>`)}</div>` : null}
    ${seen.mean ? html`<h3>Code</h3><div class="code">${seen.mean.slice(0, 64).map((/** @type {number} */ m, /** @type {number} */ k) => html`<span title=${`z${k}`}>${m.toFixed(2)}<small> ± ${(seen.sd?.[k] ?? 0).toFixed(2)}</small></span>`)}</div>
      <p class="row"><button onClick=${() => (store.move(seen.mean, seen.y ?? state.y), store.set({ view: "sliders" }))}>open in sliders</button>
      <button onClick=${() => (store.move(seen.mean, seen.y ?? state.y), store.set({ view: "map" }))}>show on the map</button></p>` : null}
  </div>`;
}

/** Number `i` of the imputations of one datum. @param {any} info @param {ArrayLike<number>} filled @param {number} i */
function drawn(info, filled, i) {
  const size = sizeOf(info);
  return Array.prototype.slice.call(filled, i * size, (i + 1) * size);
}

/** How much less likely than the datum's median each cell is, nats. @param {number[]} cells */
function strangeness(cells) {
  const sorted = cells.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const strange = cells.map((v) => Math.max(0, middle - v));
  return { strange, strong: Math.max(1, ...strange) };
}

/** A picture to draw on. @param {any} props */
function ImageEditor({ x, put, tool, setTool }) {
  const store = useStore();
  const { info } = store;
  const [H, W, C] = info.shape;
  const canvas = useRef(null);
  const live = useRef(x);
  live.current = x;
  const [pen, setPen] = useState(/** @type {[number, number] | null} */ (null));
  const [colour, setColour] = useState("#ffffff");
  useEffect(() => {
    const c = canvas.current;
    [c.height, c.width] = [H, W];
    c.getContext("2d").putImageData(imageOf(x, [H, W, C]), 0, 0);
  });
  const width = Math.max(0.75, Math.min(H, W) / 13);
  /** @param {number} px @param {number} py pixels of the model */
  const dab = (px, py) => {
    const next = live.current.slice();
    const ink = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
    for (let r = 0; r < H; r++)
      for (let c = 0; c < W; c++) {
        const far = Math.hypot(c + 0.5 - px, r + 0.5 - py);
        const much = Math.max(0, Math.min(1, width + 0.5 - far));
        if (much)
          for (let k = 0; k < C; k++) {
            const at = (r * W + c) * C + k;
            if (tool === "erase") next[at] = far < width * 1.6 ? NaN : next[at];
            else next[at] = Math.max(C === 1 ? next[at] || 0 : 0, C === 1 ? much : much * ink[k] + (1 - much) * (next[at] || 0));
          }
      }
    live.current = next;
    put(next);
  };
  /** @param {PointerEvent} event */
  const stroke = (event) => {
    if (!event.buttons && event.type !== "pointerdown") return;
    if (event.type === "pointerdown") canvas.current.setPointerCapture(event.pointerId);
    const box = canvas.current.getBoundingClientRect();
    dab(((event.clientX - box.left) / box.width) * W, ((event.clientY - box.top) / box.height) * H);
  };
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const [px, py] = pen ?? [W / 2, H / 2];
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow) {
      const next = /** @type {[number, number]} */ ([Math.max(0.5, Math.min(W - 0.5, px + arrow[0])), Math.max(0.5, Math.min(H - 0.5, py + arrow[1]))]);
      setPen(next);
      if (event.shiftKey) dab(...next);
    } else if (event.key === " ") dab(px, py);
    else return;
    event.preventDefault();
  };
  /** @param {Blob} file */
  const read = async (file) => {
    try {
      const bitmap = await createImageBitmap(file);
      const small = document.createElement("canvas");
      [small.height, small.width] = [H, W];
      const g = small.getContext("2d");
      const s = Math.max(W / bitmap.width, H / bitmap.height);
      g.imageSmoothingQuality = "high";
      g.drawImage(bitmap, (W - bitmap.width * s) / 2, (H - bitmap.height * s) / 2, bitmap.width * s, bitmap.height * s);
      const { data } = g.getImageData(0, 0, W, H);
      put(Array.from({ length: H * W * C }, (_, i) => {
        const p = 4 * Math.floor(i / C);
        return (C === 1 ? 0.299 * data[p] + 0.587 * data[p + 1] + 0.114 * data[p + 2] : data[p + (i % C)]) / 255;
      }));
    } catch {
      store.set({ error: "this file is no picture that the browser reads: drop a PNG or a JPEG" });
    }
  };
  useEffect(() => {
    /** @param {any} event */
    const drop = (event) => {
      event.preventDefault();
      const file = [...((event.dataTransfer ?? event.clipboardData)?.files ?? [])][0];
      if (file) read(file);
    };
    const over = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    addEventListener("paste", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
      removeEventListener("paste", drop);
    };
  }, [H, W, C]);
  return html`<div class="draw" style=${`aspect-ratio:${W}/${H}`}>
      <canvas ref=${canvas} class="paper" tabindex="0" role="application" aria-label=${`A picture of ${W} by ${H} pixels to draw on: arrows move the pen, space draws, shift with arrows draws a line`}
        onPointerDown=${stroke} onPointerMove=${stroke} onKeyDown=${key}></canvas>
      ${pen ? html`<i class="pen" style=${`left:${(100 * pen[0]) / W}%;top:${(100 * pen[1]) / H}%`}></i>` : null}</div>
    <p class="row"><span class="segments" role="group" aria-label="Brush">${[["draw", "draw"], ...(store.can("impute") ? [["erase", "erase to guess"]] : [])].map(([name, label]) => html`<button aria-pressed=${tool === name} onClick=${() => setTool(name)}>${label}</button>`)}</span>
      ${C >= 3 ? html`<input type="color" value=${colour} aria-label="Colour of the brush" onInput=${(/** @type {any} */ e) => setColour(e.target.value)} />` : null}
      <button onClick=${() => put(new Array(H * W * C).fill(0))}>clear</button>
      <button onClick=${() => put(x.map((/** @type {number} */ v) => 1 - v))}>invert</button>
      <label class="file">picture<input type="file" accept="image/*" aria-label="A picture file" onChange=${(/** @type {any} */ e) => e.target.files[0] && read(e.target.files[0])} /></label></p>`;
}

/** A row of a table, with the distribution of each column. @param {any} props */
function TableEditor({ x, put, seen }) {
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
      return html`<div class=${`field ${!blank && nats < -6 ? "strange" : ""}`}>
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
function SeriesEditor({ x, put, take, datum, seen }) {
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
function VectorEditor({ x, put }) {
  const store = useStore();
  return html`<${Picture} x=${x} wide=${true} model=${store.state.model} label="the vector" />
    <label class="wide">numbers, with commas<textarea rows="5" aria-label="Numbers of the vector" value=${x.map((/** @type {number} */ v) => (Number.isNaN(v) ? "" : +v.toFixed(4))).join(", ")}
      onChange=${(/** @type {any} */ e) => {
        const numbers = e.target.value.split(",").map((/** @type {string} */ t) => (t.trim() === "" ? NaN : +t));
        if (numbers.length === x.length) put(numbers);
        else store.set({ error: `these are ${numbers.length} numbers; the model takes ${x.length}` });
      }}></textarea></label>`;
}
