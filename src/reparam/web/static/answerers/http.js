/** Answers over HTTP: the server of `reparam explore`. */
import { pack, unpack } from "../safetensors.js";

/** @param {string} base the address of the server, without a slash at its end
 * @returns {import("../store.js").Answerer} */
export function connect(base = "") {
  return {
    async ask(verb, arrays = {}, options = {}) {
      const reply = await fetch(`${base}/api/v1/ask/${verb}`, {
        method: "POST",
        headers: { "Content-Type": "application/x-safetensors" },
        body: /** @type {any} */ (pack(arrays, options)),
      }).catch(() => {
        throw new Error("the server does not answer: is reparam explore still running?");
      });
      if (!reply.ok) {
        const words = await reply.json().catch(() => ({}));
        throw new Error(words.error ?? `the server answered ${reply.status}`);
      }
      return unpack(await reply.arrayBuffer());
    },
    events(heard) {
      const source = new EventSource(`${base}/api/v1/events`);
      source.addEventListener("progress", (event) => heard(JSON.parse(/** @type {MessageEvent} */ (event).data)));
      source.onerror = () => source.close();
      return () => source.close();
    },
  };
}
