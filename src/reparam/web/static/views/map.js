/** The map: codes of the data in a plane, and what the decoder says of the places between them. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useNewest, useStore } from "../store.js";
import { tensor } from "../safetensors.js";
import { bytes } from "../colours.js";
import { axesOf, evenly, lift } from "../projection.js";
import { Picture } from "../pictures.js";
import { copy, saveCsv } from "../files.js";
import { colourOf, isDark, Legend, MapControls } from "./colouring.js";
import { Scene } from "./scene.js";
import { Strip } from "./strip.js";

/** One map of one model. @param {{model: number, tool: string, onPath: (codes: Float32Array[]) => void}} props */
export function Map2D({ model, tool, onPath }) {
  const store = useStore();
  const { state } = store;
  const frame = useRef(null);
  /** @type {{current: Scene}} */
  const scene = useRef(null);
  const [fault, setFault] = useState("");
  const tip = useRef(null);
  const [hover, setHover] = useState(/** @type {any} */ (null));
  const codes = store.codes[model];
  const info = store.infos[model];
  useEffect(() => {
    try {
      scene.current = new Scene(store, model, frame.current);
      setFault("");
    } catch (error) {
      setFault(error.message);
      return undefined;
    }
    return () => {
      scene.current?.free();
      scene.current = null;
    };
  }, [codes]);
  const dark = isDark(state.theme);
  const values = colourOf(store, model);
  useEffect(() => {
    if (!scene.current) return;
    const selected = state.selection.length ? new Uint8Array(codes.n) : null;
    for (const i of state.selection) selected[i] = 1;
    scene.current.points.colour(bytes(values.data, values.discrete, selected, values.ends, dark));
    scene.current.update();
  }, [codes, state.colour, state.selection, values.version, dark]);
  useEffect(() => scene.current?.update());

  const askData = useNewest(async (/** @type {number} */ index) => {
    const { arrays, info: more } = await store.ask("data", { index: tensor(Int32Array.from([index]), 1) }, { model });
    setHover({ index, x: arrays.x.data, key: more.keys?.[0] });
  });
  const askDecode = useNewest(async (/** @type {Float32Array} */ z, /** @type {number} */ begun) => {
    const { arrays } = await store.decode([z], store.state.y, { model });
    setHover({ z, x: arrays.x.data, sd: arrays.sd?.data });
    requestAnimationFrame(() => (store.state.lastDecodeMs = performance.now() - begun));
  });

  /** @param {number} px @param {number} py */
  const look = (px, py) => {
    const s = scene.current;
    const index = s.nearest(px, py);
    if (tip.current) {
      const right = px > s.width - 190;
      tip.current.style.transform = `translate(${right ? px - 170 : px + 22}px, ${Math.max(4, Math.min(py - 60, s.height - 190))}px)`;
    }
    if (index >= 0 && store.can("data", model)) {
      state.hover = { index };
      askData(index);
    } else if (store.can("decode", model)) {
      const z = lift(s.plane, s.anchorCode, ...s.toPlane(px, py));
      state.hover = { z: Array.from(z) };
      askDecode(z, performance.now());
    }
  };

  /** @param {number} px @param {number} py */
  const choose = async (px, py) => {
    const s = scene.current;
    const index = s.nearest(px, py, 12);
    if (index >= 0 && store.can("data", model)) {
      s.posterior(index).catch(store.failed);
      await store.pick(index);
    } else if (codes.L) {
      s.oval = null;
      store.move(lift(s.plane, s.anchorCode, ...s.toPlane(px, py)));
    }
  };

  const touches = useRef(new Map());
  const drag = useRef(/** @type {any} */ (null));
  /** @param {PointerEvent} event @returns {[number, number]} */
  const spot = (event) => {
    const box = frame.current.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  /** @param {PointerEvent} event */
  const down = (event) => {
    const s = scene.current;
    if (!s) return;
    frame.current.setPointerCapture(event.pointerId);
    touches.current.set(event.pointerId, spot(event));
    s.line = null;
    const at = spot(event);
    drag.current = { from: at, last: at, tool: event.shiftKey ? "lasso" : tool, far: false };
    if (touches.current.size === 2) drag.current = { tool: "pinch" };
    if (["lasso", "path", "box"].includes(drag.current.tool)) s.line = { tool: drag.current.tool, points: [s.toPlane(...at)] };
  };
  /** @param {PointerEvent} event */
  const move = (event) => {
    const s = scene.current;
    if (!s) return;
    const at = spot(event);
    s.cross = null;
    if (!drag.current) return look(...at);
    const before = touches.current.get(event.pointerId);
    if (drag.current.tool === "pinch") {
      const other = [...touches.current].find(([id]) => id !== event.pointerId)?.[1];
      touches.current.set(event.pointerId, at);
      if (!other || !before) return undefined;
      const [was, is] = [Math.hypot(before[0] - other[0], before[1] - other[1]), Math.hypot(at[0] - other[0], at[1] - other[1])];
      s.pan((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
      return s.zoom(is / (was || 1), (at[0] + other[0]) / 2, (at[1] + other[1]) / 2);
    }
    drag.current.far ||= Math.hypot(at[0] - drag.current.from[0], at[1] - drag.current.from[1]) > 4;
    if (drag.current.tool === "pan") {
      if (drag.current.far) s.pan(at[0] - drag.current.last[0], at[1] - drag.current.last[1]);
    } else if (drag.current.tool === "box") {
      const [[x0, y0], [x1, y1]] = [s.toPlane(drag.current.from[0], drag.current.from[1]), s.toPlane(...at)];
      s.line = { tool: "box", points: [[x0, y0], [x1, y0], [x1, y1], [x0, y1]] };
    } else s.line.points.push(s.toPlane(...at));
    drag.current.last = at;
    s.changed();
    return undefined;
  };
  /** @param {PointerEvent} event */
  const up = (event) => {
    const s = scene.current;
    touches.current.delete(event.pointerId);
    if (!s || !drag.current) return;
    const { tool: used, far } = drag.current;
    if (used === "pinch") {
      if (!touches.current.size) drag.current = null;
      return;
    }
    drag.current = null;
    if (!far) {
      s.line = null;
      choose(...spot(event)).catch(store.failed);
    } else if (used === "lasso" || used === "box") {
      store.set({ selection: s.within(s.line.points) });
      s.line = null;
    } else if (used === "path") onPath(evenly(s.line.points, 16).map(([x, y]) => lift(s.plane, s.anchorCode, x, y)));
    s.changed();
  };
  const corner = useRef(/** @type {[number, number] | null} */ (null));
  const trail = useRef(/** @type {[number, number][]} */ ([]));
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    const s = scene.current;
    if (!s || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (arrow && event.shiftKey) s.pan(-40 * arrow[0], -40 * arrow[1]);
    else if (arrow) {
      const [px, py] = s.toPixel(...(s.cross ?? s.toPlane(s.width / 2, s.height / 2)));
      const next = /** @type {[number, number]} */ ([Math.max(0, Math.min(s.width, px + 12 * arrow[0])), Math.max(0, Math.min(s.height, py + 12 * arrow[1]))]);
      s.cross = s.toPlane(...next);
      look(...next);
    } else if (event.key === "Enter" && s.cross) choose(...s.toPixel(...s.cross)).catch(store.failed);
    else if (event.key === "+" || event.key === "=") s.zoom(1.3);
    else if (event.key === "-") s.zoom(1 / 1.3);
    else if (event.key === "0") s.fit();
    else if (event.key === "Escape") {
      corner.current = s.line = s.oval = null;
      trail.current = [];
      store.set({ selection: [] });
    } else if (event.key === "b" && s.cross) {
      if (corner.current) {
        const [[x0, y0], [x1, y1]] = [corner.current, s.cross];
        corner.current = null;
        store.set({ selection: s.within([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) });
      } else corner.current = s.cross;
    } else if (event.key === "p" && s.cross) {
      trail.current.push(s.cross);
      s.line = { tool: "path", points: [...trail.current] };
      if (trail.current.length > 1) onPath(evenly(trail.current, 16).map(([x, y]) => lift(s.plane, s.anchorCode, x, y)));
    } else return;
    event.preventDefault();
    s.changed();
  };
  useEffect(() => {
    const element = frame.current;
    /** @param {WheelEvent} event */
    const wheel = (event) => {
      event.preventDefault();
      const box = element.getBoundingClientRect();
      scene.current?.zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - box.left, event.clientY - box.top);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  const score = hover?.index >= 0 ? codes.score[hover.index] : NaN;
  return html`<div class="map">
    <div class=${`frame tool-${tool}`} ref=${frame} tabindex="0" role="application"
      aria-label=${`Map of ${codes.loaded} codes of ${info.name}. Arrows move a cross, Enter chooses, plus and minus zoom, 0 shows all, b twice selects a box, p adds a point of a path, Escape clears.`}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${up} onPointerLeave=${() => !drag.current && setHover(null)} onKeyDown=${key}
      onDblClick=${() => scene.current?.fit()}>
      <canvas class="under" aria-hidden="true"></canvas><canvas class="points" aria-hidden="true"></canvas><canvas class="glass" aria-hidden="true"></canvas>
      <div class="axis across">${axisName(state, codes, 0)}</div><div class="axis upward">${axisName(state, codes, 1)}</div>
      <div class="tip" ref=${tip} hidden=${!hover}>${hover
        ? html`<${Picture} x=${hover.x} sd=${hover.sd} model=${model} few=${7} label="under the pointer" />
          <small>${hover.index >= 0
            ? html`${hover.key ?? `row ${hover.index}`}${codes.y[hover.index] >= 0 ? ` · ${info.classes[codes.y[hover.index]]}` : ""}${Number.isFinite(score) ? ` · ${score.toFixed(1)} nats` : ""}`
            : html`decoded${info.labels && state.y >= 0 ? ` as ${info.classes[state.y]}` : ""}`}</small>`
        : null}</div>
      ${fault ? html`<p class="fault">${fault}</p>` : null}
    </div>
  </div>`;
}

/** @param {import("../store.js").State} state @param {import("../store.js").Codes} codes @param {0 | 1} which */
function axisName(state, codes, which) {
  const { projection, turn } = state;
  const axes = axesOf(state, codes);
  if (projection === "pca") return `principal direction ${which + 1}`;
  return projection === "turned" && turn ? `z${axes[which]}, turned by ${turn}°` : `z${axes[which]}`;
}

/** What can be done with a selection. */
export function Selection() {
  const store = useStore();
  const { selection, model } = store.state;
  const { L, mean, y, score } = store.codes[model];
  if (!selection.length) return null;
  const middle = () => Array.from({ length: L }, (_, k) => selection.reduce((sum, i) => sum + mean[i * L + k], 0) / selection.length);
  const save = async () => {
    let keys = null;
    if (store.info.keys && selection.length <= 65536) keys = (await store.ask("data", { index: tensor(Int32Array.from(selection), selection.length) })).info.keys;
    const header = ["row", ...(keys ? ["key"] : []), "class", "log_p", ...Array.from({ length: L }, (_, k) => `z${k}`)];
    saveCsv("selection.csv", header, selection.map((i, r) => [i, ...(keys ? [keys[r]] : []), y[i] >= 0 ? store.info.classes[y[i]] : "",
      Number.isNaN(score[i]) ? "" : score[i].toFixed(3), ...Array.from(mean.subarray(i * L, (i + 1) * L), (v) => v.toFixed(5))]));
  };
  return html`<div class="selection" role="status"><strong>${selection.length.toLocaleString("en")}</strong> selected
    <button onClick=${() => save().catch(store.failed)}>csv</button>
    <button onClick=${() => copy("ids.txt", selection.join("\n"))}>copy ids</button>
    <button onClick=${() => store.set({ a: middle() })}>mean as A</button>
    <button onClick=${() => store.set({ b: middle() })}>mean as B</button>
    <button onClick=${() => store.set({ selection: [] })}>clear</button></div>`;
}

/** The picture of the current code, with the classes. */
export function Current() {
  const store = useStore();
  const { state, info } = store;
  const [shown, setShown] = useState(/** @type {any} */ (null));
  const ask = useNewest(async (/** @type {number[]} */ z, /** @type {number} */ y) => {
    const { arrays } = await store.decode([z], y);
    setShown({ x: arrays.x.data, sd: arrays.sd?.data });
  });
  useEffect(() => {
    if (state.z.length && store.can("decode")) ask(state.z, state.y);
  }, [state.z, state.y, state.model]);
  return html`<div class="current">${shown ? html`<${Picture} x=${shown.x} sd=${shown.sd} wide=${info.kind === "series"} model=${state.model} label="decoded from the current code" />` : null}</div>`;
}

export function MapView() {
  const store = useStore();
  const { state, info } = store;
  const [tool, setTool] = useState("pan");
  const [path, setPath] = useState(/** @type {Float32Array[] | null} */ (null));
  const codes = store.codes[state.model];
  const { datum } = state;
  return html`<section class="view map-view">
    <${MapControls} tool=${tool} setTool=${setTool} />
    <div class="beside">
      <${Map2D} model=${state.model} tool=${tool} onPath=${setPath} key=${state.model} />
      <aside>
        <h2>Here</h2>
        <${Current} />
        ${datum && datum.x && datum.index >= 0 ? html`<h3>${datum.key ?? `Row ${datum.index}`}${datum.y >= 0 && info.classes.length ? html` <span class="quiet">${info.classes[datum.y]}</span>` : null}</h3>
          <${Picture} x=${datum.x} model=${state.model} wide=${info.kind === "series"} label=${`row ${datum.index} of the data`} />
          <button onClick=${() => store.set({ view: "datum" })}>look closer</button>` : html`<p class="quiet">Point anywhere to decode that code; click a point to see its posterior. Shift and drag, or the lasso, selects.</p>`}
        <${Legend} model=${state.model} />
      </aside>
    </div>
    <footer class="foot"><span>${codes.loaded.toLocaleString("en")} of ${codes.n.toLocaleString("en")} rows${codes.loaded < codes.n ? ", loading" : ""}${info.n_total > codes.n ? ` of ${info.n_total.toLocaleString("en")}; the others are not in this page` : ""}</span><${Selection} /></footer>
    ${path ? html`<${Strip} codes=${path} title="Along the path" onClose=${() => setPath(null)} />` : null}
  </section>`;
}
