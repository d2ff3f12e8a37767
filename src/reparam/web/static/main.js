/** The explorer: `start(element, answerer)` draws it into an element, whoever answers. */
import { html, render, useEffect, useRef } from "./vendor/preact-htm.js";
import { remember, remembered, Store, StoreContext, useStore } from "./store.js";
import { Choice } from "./views/choice.js";
import { MapView } from "./views/map.js";
import { SlidersView } from "./views/sliders.js";
import { DatumView } from "./views/datum.js";
import { AnomaliesView, CompareView, ModelView, SamplesView, TrainingView } from "./views/more.js";

/** Name, title, view, and whether it has something to show.
 * @type {[string, string, () => any, (store: Store) => boolean][]} */
const VIEWS = [
  ["map", "Map", MapView, (s) => s.info.latent_dim > 0 && s.can("decode")],
  ["sliders", "Sliders", SlidersView, (s) => s.info.latent_dim > 0 && s.can("decode")],
  ["datum", "Your datum", DatumView, (s) => s.can("score") || s.can("encode")],
  ["samples", "Samples", SamplesView, (s) => s.can("sample")],
  ["anomalies", "Anomalies", AnomaliesView, (s) => s.can("anomalies") && s.can("data")],
  ["training", "Training", TrainingView, (s) => s.can("training") || s.info.history?.epoch?.length > 1],
  ["model", "Model", ModelView, () => true],
  ["compare", "Compare", CompareView, (s) => s.infos.length > 1 && s.infos.every((i) => i.latent_dim > 0)],
];
const THEMES = ["auto", "light", "dark"];

/** @param {{element: HTMLElement}} props */
function App({ element }) {
  const store = useStore();
  const { state } = store;
  const tabs = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const current = tabs.current?.querySelector("[aria-current]");
    if (current) tabs.current.scrollLeft = current.offsetLeft - tabs.current.offsetLeft - 60;
  }, [state.view, state.ready]);
  useEffect(() => {
    if (state.theme === "auto") element.removeAttribute("data-theme");
    else element.setAttribute("data-theme", state.theme);
    store.set({});
  }, [state.theme]);
  if (!store.info) return html`<p class="loading" role="status">${state.error || "Opening the model…"}</p>`;
  const views = VIEWS.filter(([, , , there]) => there(store));
  const [, , View] = views.find(([name]) => name === state.view) ?? views[0];
  const shown = views.find(([, , view]) => view === View)[0];
  /** @param {KeyboardEvent} event */
  const key = (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !/** @type {HTMLElement} */ (event.target).matches("input:not([type=range]), textarea")) {
      event.preventDefault();
      store.undo();
    }
  };
  /** @param {string} m */
  const choose = (m) => store.set({ model: +m, datum: null, z: fit(state.z, store.infos[+m].latent_dim) });
  const next = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
  return html`<div class="app" onKeyDown=${key}>
    <header><h1 class="mark">reparam</h1>
      ${store.infos.length > 1 ? html`<span class="which"><${Choice} label="model" name="Model" value=${state.model} options=${store.infos.map((i, m) => [m, i.name])} set=${choose} /></span>` : html`<span class="name">${store.info.name}</span>`}
      <nav aria-label="Views" ref=${tabs}>${views.map(([name, title]) => html`<button key=${name} aria-current=${name === shown ? "page" : undefined} onClick=${() => store.set({ view: name })}>${title}</button>`)}</nav>
      <button class="quiet theme" aria-label=${`Colours: ${state.theme}; change to ${next}`} title=${`colours: ${state.theme}`} onClick=${() => (remember("reparam.theme", next), store.set({ theme: next }))}>${{ auto: "◐", light: "○", dark: "●" }[state.theme]}</button>
    </header>
    ${state.error ? html`<p class="error" role="alert">${state.error}<button class="quiet" aria-label="Close the message" onClick=${() => store.set({ error: "" })}>close</button></p>` : null}
    ${store.info.covariates.length ? html`<${Covariates} />` : null}
    <main>${store.codes[state.model] ? html`<${View} key=${`${shown} ${state.model} ${state.covariates}`} />` : html`<p class="loading" role="status">Reading…</p>`}</main>
  </div>`;
}

/** What the model is conditional on, for all views. */
function Covariates() {
  const store = useStore();
  const { covariates } = store.state;
  /** @param {number} j @param {number} value */
  const set = (j, value) => Number.isFinite(value) && store.set({ covariates: covariates.map((v, k) => (k === j ? value : v)) });
  return html`<form class="row given" aria-label="Covariates" onSubmit=${(/** @type {Event} */ e) => e.preventDefault()}><span class="quiet">given</span>
    ${store.info.covariates.map((/** @type {any} */ c, /** @type {number} */ j) => c.categories
      ? html`<${Choice} label=${c.name} value=${covariates[j]} options=${[...c.categories.entries()]} set=${(/** @type {string} */ k) => set(j, +k)} />`
      : html`<label>${c.name}<input type="number" step="any" aria-label=${c.name} value=${+covariates[j].toPrecision(5)} onChange=${(/** @type {any} */ e) => e.target.value !== "" && set(j, +e.target.value)} /></label>`)}</form>`;
}

/** A code of another model's length. @param {number[]} z @param {number} L */
const fit = (z, L) => (z.length === L ? z : new Array(L).fill(0));

/** @param {HTMLElement} element where the page is drawn @param {import("./store.js").Answerer} answerer
 * @param {{address?: boolean, heard?: (state: import("./store.js").State) => void}} options address: keep the state in the page's
 *   address; heard: called whenever the state changes
 * @returns {() => void} what takes it away again */
export function start(element, answerer, { address = true, heard } = {}) {
  const store = new Store(answerer, address);
  if (heard) store.listeners.add(() => heard(store.state));
  element.classList.add("reparam");
  const theme = remembered("reparam.theme");
  if (THEMES.includes(theme)) store.state.theme = theme;
  /** @type {any} */ (window).reparam = { state: store.state, ask: answerer.ask.bind(answerer), store };
  render(html`<${StoreContext.Provider} value=${store}><${App} element=${element} /></${StoreContext.Provider}>`, element);
  store.begin().catch(store.failed);
  const again = () => address && store.state.ready && store.set(store.fromHash());
  if (address) addEventListener("hashchange", again);
  return () => {
    removeEventListener("hashchange", again);
    render(null, element);
  };
}
