/** What colours the points of a map, its legend, and the choices above it. */
import { html, useEffect } from "../vendor/preact-htm.js";
import { BLOCK, stage, useStore } from "../store.js";
import { classColour, ramp, range } from "../colours.js";
import { axesOf, byRate } from "../projection.js";
import { words } from "../pictures.js";
import { Choice } from "./choice.js";

const TOOLS = [["pan", "Move"], ["lasso", "Lasso"], ["box", "Box"], ["path", "Path"]];
const LAYERS = [["field", "Decoder field", "decode"], ["density", "Aggregate posterior", "codes"], ["prior", "Prior", "prior"]];

const PLANES = [["axes", "two dimensions"], ["pca", "principal (PCA)"], ["turned", "turned plane"]];

/** @param {string} theme */
export const isDark = (theme) => theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);

/** @type {Map<string, any>} */
const columnsRead = new Map();

/** The numbers that colour the points. @param {import("../store.js").Store} store @param {number} model */
export function colourOf(store, model) {
  const { colour } = store.state;
  const codes = store.codes[model];
  if (colour === "class") return { data: codes.y, discrete: true, ends: [0, 1], names: store.infos[model].classes, version: stage(codes.loaded, codes.n) };
  if (colour === "score") return { data: codes.score, discrete: false, ends: range(codes.score), version: stage(codes.scored, codes.n), unit: "log p(x), nats" };
  const held = columnsRead.get(`${store.infos[model].name}/${colour}`);
  if (!held || held.codes !== codes) return { data: codes.y, discrete: true, ends: [0, 1], names: [], version: -1 };
  return { ...held, discrete: Boolean(held.names), version: stage(held.read, codes.n), unit: colour };
}

/** Reads what colours the points, where it is not there yet. @param {import("../store.js").Store} store @param {number} model */
export async function readColour(store, model) {
  const { colour } = store.state;
  const codes = store.codes[model];
  if (colour === "class" || !store.can("codes", model)) return;
  if (colour === "score") {
    await store.scores(model);
    return;
  }
  const name = `${store.infos[model].name}/${colour}`;
  if (!store.can("column", model) || columnsRead.get(name)?.codes === codes) return;
  const held = { data: new Float64Array(codes.n).fill(NaN), ends: [0, 1], names: /** @type {string[] | null} */ (null), read: 0, codes };
  columnsRead.set(name, held);
  while (held.read < codes.n) {
    const { arrays, info } = await store.answerer.ask("column", {}, { model, name: colour, start: held.read, stop: Math.min(codes.n, held.read + BLOCK) });
    if (!arrays.value.data.length) break;
    held.data.set(arrays.value.data, held.read);
    held.names = info.categories;
    held.read += arrays.value.data.length;
    held.ends = range(held.data);
    store.set({});
  }
}

/** Legend: the classes, which select their rows, or a ramp. @param {{model: number}} props */
export function Legend({ model }) {
  const store = useStore();
  const { data, discrete, ends, names, unit } = colourOf(store, model);
  if (discrete)
    return html`<ul class="legend" aria-label="Classes">${(names ?? []).map((/** @type {string} */ name, /** @type {number} */ k) => html`<li>
      <button class="quiet" title=${`select all of ${name}`} onClick=${() => store.set({ selection: Array.from({ length: store.codes[model].loaded }, (_, i) => i).filter((i) => data[i] === k) })}>
        <i style=${`background:${classColour(k)}`}></i>${name}</button></li>`)}</ul>`;
  const stops = Array.from({ length: 6 }, (_, i) => `rgb(${ramp(i / 5)})`).join(",");
  const column = store.infos[model].columns.find((/** @type {any} */ c) => c.name === store.state.colour);
  const shown = (/** @type {number} */ v) => (column ? words(column, v) : v.toFixed(1));
  return html`<div class="ramp"><span>${shown(ends[0])}</span><i style=${`background:linear-gradient(90deg,${stops})`}></i><span>${shown(ends[1])}</span><small>${unit}</small></div>`;
}

/** The choices above a map. @param {{tool: string, setTool: (tool: string) => void}} props */
export function MapControls({ tool, setTool }) {
  const store = useStore();
  const { state, info } = store;
  const codes = store.codes[state.model];
  const order = byRate(codes);
  const axes = axesOf(state, codes);
  useEffect(() => {
    store.infos.forEach((_, model) => readColour(store, model).catch(store.failed));
  }, [state.colour, state.ready]);
  /** @param {0 | 1} which */
  const axis = (which) => html`<${Choice} label=${which ? "up" : "across"} name=${which ? "Dimension upward" : "Dimension across"} value=${axes[which]}
    options=${order.map((k) => [k, `z${k}${codes.kl ? ` · ${codes.kl[k].toFixed(2)}` : ""}`])} set=${(/** @type {string} */ k) => store.set({ axes: which ? [axes[0], +k] : [+k, axes[1]] })} />`;
  /** @param {string} name */
  const toggle = (name) => store.set({ layers: state.layers.includes(name) ? state.layers.filter((l) => l !== name) : [...state.layers, name] });
  return html`<div class="controls">
    <div class="segments" role="group" aria-label="Tool">${TOOLS.map(([name, label]) => html`<button aria-pressed=${tool === name} onClick=${() => setTool(name)}>${label}</button>`)}</div>
    ${info.latent_dim > 2 ? html`<${Choice} label="plane" name="Projection" value=${state.projection} options=${PLANES} set=${(/** @type {string} */ projection) => store.set({ projection })} />` : null}
    ${state.projection === "turned" ? html`<label>turn<input type="range" min="0" max="360" step="1" value=${state.turn} aria-label="Turn of the plane in degrees" onInput=${(/** @type {any} */ e) => store.set({ turn: +e.target.value })} /></label>` : null}
    ${info.latent_dim > 1 && state.projection !== "pca" ? [axis(0), axis(1)] : null}
    <${Choice} label="colour" name="Colour by" value=${state.colour} set=${(/** @type {string} */ colour) => store.set({ colour })}
      options=${[...(info.classes.length ? [["class", "class"]] : []), ["score", "log p(x)"], ...info.columns.map((/** @type {any} */ c) => [c.name, c.name])]} />
    <div class="segments" role="group" aria-label="Layers">${LAYERS.filter(([, , verb]) => store.can(verb)).map(([name, label]) => html`<button aria-pressed=${state.layers.includes(name)} onClick=${() => toggle(name)}>${label}</button>`)}</div>
  </div>`;
}
