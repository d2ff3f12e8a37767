/** One of several. */
import { html } from "../vendor/preact-htm.js";

/** @param {{label: string, name?: string, value: any, options: [any, any][], set: (value: string) => void}} props options: values and their
 *   words; name: of the whole, where the label is too short */
export function Choice({ label, name = label, value, options, set }) {
  return html`<label>${label}<select aria-label=${name} value=${value} onChange=${(/** @type {any} */ e) => set(e.target.value)}>
    ${options.map(([each, words]) => html`<option value=${each} selected=${each === value}>${words}</option>`)}</select></label>`;
}
