/** Sliders: every dimension of the code by how much it says, classes, paths between two codes, directions with names. */
import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { matrix, tensor } from "../safetensors.js";
import { useStore } from "../store.js";
import { copy } from "../files.js";
import { byRate } from "../projection.js";
import { Choice } from "./choice.js";
import { Current } from "./map.js";
import { Strip } from "./strip.js";

const REACH = 3.5;
const DEAD = 0.01;
const MOST = 96;

/** @param {{k: number, kl: number | undefined}} props */
function Slider({ k, kl }) {
  const store = useStore();
  const { z, model } = store.state;
  const most = Math.max(0.2, ...(store.codes[model].kl ?? []));
  const [open, setOpen] = useState(false);
  const codes = useMemo(() => (open ? Array.from({ length: 9 }, (_, i) => z.map((v, j) => (j === k ? -3 + (6 * i) / 8 : v))) : []), [open, z]);
  return html`<li class="slider">
    <label for=${`z${k}`}>z${k}</label>
    <input id=${`z${k}`} type="range" min=${-REACH} max=${REACH} step="0.01" value=${z[k]} style=${`--at:${(100 * (Math.max(-REACH, Math.min(REACH, z[k])) + REACH)) / (2 * REACH)}%`} aria-valuetext=${z[k].toFixed(2)}
      onInput=${(/** @type {any} */ e) => store.move(z.map((v, j) => (j === k ? +e.target.value : v)), undefined, true)} />
    <output>${z[k].toFixed(2)}</output>
    <span class="kl" title="KL of this dimension, nats per datum">${kl === undefined ? "" : html`<i style=${`--share:${kl / most}`}></i>${kl.toFixed(2)}`}</span>
    <button class="quiet" aria-expanded=${open} aria-label=${`strip of z${k}`} onClick=${() => setOpen(!open)}>strip</button>
    ${open ? html`<${Strip} codes=${codes} title="" plain=${true} />` : null}
  </li>`;
}

/** The same code decoded as each class. */
function Classes() {
  const store = useStore();
  const { state, info } = store;
  const codes = useMemo(() => info.classes.map(() => state.z), [state.z, info]);
  if (!info.labels) return null;
  return html`<div class="classes"><h3>The same style as every class</h3>
    <div class="names">${info.classes.map((/** @type {string} */ name, /** @type {number} */ k) => html`<button aria-pressed=${state.y === k} onClick=${() => store.move(state.z, k)}>${name}</button>`)}</div>
    <${Strip} codes=${codes} y=${info.classes.map((/** @type {string} */ _, /** @type {number} */ k) => k)} title="" plain=${true} onPick=${(/** @type {number} */ k) => store.move(state.z, k)} /></div>`;
}

/** A path from A to B, and A − B as a direction. */
function Between() {
  const store = useStore();
  const { a, b, z, directions } = store.state;
  const [path, setPath] = useState("linear");
  const [codes, setCodes] = useState(/** @type {Float32Array[] | null} */ (null));
  const [name, setName] = useState("");
  const both = a.length === z.length && b.length === z.length;
  const go = async () => {
    /** @type {import("../safetensors.js").Tensors} */
    const ends = { z: matrix([a, b]) };
    if (store.info.labels && store.state.y >= 0) ends.y = tensor(Int32Array.of(store.state.y), 1);
    const { arrays } = await store.ask("interpolate", ends, { steps: 12, path });
    const [n, L] = arrays.z.shape;
    setCodes(Array.from({ length: n }, (_, i) => /** @type {Float32Array} */ (arrays.z.data).slice(i * L, (i + 1) * L)));
  };
  const keep = () => {
    store.keep([...directions, { name: name || `A − B ${directions.length + 1}`, direction: a.map((v, k) => v - b[k]), amount: 0 }]);
    setName("");
  };
  return html`<div class="between"><h3>From A to B</h3>
    <p class="row"><button aria-pressed=${a.length > 0} onClick=${() => store.set({ a: z.slice() })}>this code as A</button>
      <button aria-pressed=${b.length > 0} onClick=${() => store.set({ b: z.slice() })}>this code as B</button>
      <${Choice} label="path" name="Path" value=${path} options=${[["linear", "linear"], ["spherical", "spherical"]]} set=${setPath} />
      <button disabled=${!both || !store.can("interpolate")} onClick=${() => go().catch(store.failed)}>interpolate</button></p>
    <p class="row"><label>name<input value=${name} placeholder="slant" aria-label="Name of the direction" onInput=${(/** @type {any} */ e) => setName(e.target.value)} /></label>
      <button disabled=${!both} onClick=${keep}>A − B as a slider</button></p>
    ${both ? null : html`<p class="quiet">Take two codes here, or the means of two selections on the map.</p>`}
    ${codes ? html`<${Strip} codes=${codes} title="From A to B" onClose=${() => setCodes(null)} />` : null}
  </div>`;
}

function Directions() {
  const store = useStore();
  const { directions, z } = store.state;
  /** @param {number} i @param {number} amount */
  const slide = (i, amount) => {
    const held = directions[i];
    store.move(z.map((v, k) => v + (amount - held.amount) * held.direction[k]), undefined, true);
    store.set({ directions: directions.map((d, j) => (j === i ? { ...d, amount } : d)) });
  };
  if (!directions.length) return null;
  return html`<h3>Directions</h3><ul class="sliders">${directions.map((d, i) => html`<li class="slider">
    <label for=${`d${i}`}>${d.name}</label>
    <input id=${`d${i}`} type="range" min="-2" max="2" step="0.01" value=${d.amount} onInput=${(/** @type {any} */ e) => slide(i, +e.target.value)} />
    <output>${d.amount.toFixed(2)}</output><span></span>
    <button class="quiet" aria-label=${`remove ${d.name}`} onClick=${() => store.keep(directions.filter((_, j) => j !== i))}>remove</button></li>`)}</ul>`;
}

/** The part of the code that belongs to one stochastic layer. @param {{layer: any, which: number}} props */
function Layer({ layer, which }) {
  const store = useStore();
  const { state, info } = store;
  const codes = store.codes[state.model];
  const within = byRate(codes).filter((k) => k >= layer.start && k < layer.start + layer.size);
  const kl = codes.kl;
  const live = kl ? within.filter((k) => kl[k] >= DEAD) : within;
  const dead = kl ? within.filter((k) => kl[k] < DEAD) : [];
  const shape = layer.shape.join(" × ");
  const what = layer.kind === "maps" ? `maps of ${shape}` : layer.kind === "codes" ? `${layer.atoms ? `codes: ${shape}, one of ${layer.atoms} each` : `codes of ${shape}`}` : `vector of ${layer.size}`;
  const list = (/** @type {number[]} */ dims) => html`<ul class="sliders">${dims.slice(0, MOST).map((k) => html`<${Slider} key=${k} k=${k} kl=${kl?.[k]} />`)}</ul>
    ${dims.length > MOST ? html`<p class="quiet">and ${dims.length - MOST} more, which say less</p>` : null}`;
  return html`${info.latents.length > 1 || layer.kind !== "vector" ? html`<h3>Layer ${which + 1} of ${info.latents.length}: ${what}</h3>` : null}
    ${layer.kind === "maps" ? html`<${Maps} layer=${layer} />` : null}
    ${list(live)}
    ${dead.length ? html`<details><summary>${dead.length} that say under ${DEAD} nats</summary>${list(dead)}</details>` : null}`;
}

/** Latent maps as the pictures that they are. @param {{layer: any}} props */
function Maps({ layer }) {
  const { z } = useStore().state;
  const [C, H, W] = layer.shape;
  return html`<div class="maps">${Array.from({ length: Math.min(C, 32) }, (_, c) => html`<svg viewBox=${`0 0 ${W} ${H}`} role="img" aria-label=${`latent map ${c}`}>
    ${Array.from({ length: H * W }, (_, p) => {
      const v = z[layer.start + c * H * W + p] ?? 0;
      return html`<rect x=${p % W} y=${Math.floor(p / W)} width="1" height="1" fill=${v > 0 ? "#dc5a3c" : "#3c64d2"} opacity=${Math.min(1, Math.abs(v) / 2.5)} />`;
    })}</svg>`)}</div>`;
}

export function SlidersView() {
  const store = useStore();
  const { state, info } = store;
  const random = async () => {
    const { arrays } = await store.ask("sample", {}, { n: 1, temperature: 1, seed: Math.floor(Math.random() * 1e9) });
    store.move(/** @type {Float32Array} */ (arrays.z.data));
  };
  return html`<section class="view sliders-view">
    <div class="stage"><${Current} />
      <div class="row">
        <button onClick=${() => random().catch(store.failed)} disabled=${!store.can("sample")}>random</button>
        <button onClick=${() => store.move(state.z.map(() => 0))}>reset</button>
        <button onClick=${() => store.undo()} disabled=${!store.past.length}>undo</button>
        <button onClick=${() => copy("code.txt", `[${state.z.map((v) => v.toFixed(4)).join(", ")}]`)}>copy code</button></div>
    </div>
    <div class="panel">
      <h2>Code <span class="quiet">what each dimension says, in nats</span></h2>
      ${info.latents.map((/** @type {any} */ layer, /** @type {number} */ i) => html`<${Layer} layer=${layer} which=${i} />`)}
      <${Directions} /><${Between} />
    </div>
    <${Classes} />
  </section>`;
}
