/** Answers over the channel of a notebook: one message each way, a safetensors blob beside each. */
import { pack, unpack } from "../safetensors.js";

/** @typedef {{send: (content: any, callbacks?: any, buffers?: ArrayBuffer[]) => void, on: (event: string, heard: any) => void,
 *   off: (event: string, heard: any) => void, get: (name: string) => any, set: (name: string, value: any) => void, save_changes: () => void}} Channel */

/** @param {Channel} channel the model of a widget @returns {import("../store.js").Answerer & {close: () => void}} */
export function connect(channel) {
  /** @type {Map<number, {done: (answer: any) => void, failed: (error: Error) => void}>} */
  const waiting = new Map();
  let asked = 0;
  /** @param {{id: number, error?: string}} content @param {DataView[]} buffers */
  const heard = (content, buffers) => {
    const question = waiting.get(content.id);
    if (!question) return;
    waiting.delete(content.id);
    if (content.error) question.failed(new Error(content.error));
    else question.done(unpack(/** @type {ArrayBuffer} */ (buffers[0].buffer.slice(buffers[0].byteOffset, buffers[0].byteOffset + buffers[0].byteLength))));
  };
  channel.on("msg:custom", heard);
  return {
    ask(verb, arrays = {}, options = {}) {
      const id = asked++;
      return new Promise((done, failed) => {
        waiting.set(id, { done, failed });
        channel.send({ id, verb }, undefined, [/** @type {ArrayBuffer} */ (pack(arrays, options).buffer)]);
      });
    },
    close: () => channel.off("msg:custom", heard),
  };
}
