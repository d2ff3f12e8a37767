/** The page in one file: what it asks is answered from what the file holds. */
import { start } from "./main.js";
import { connect, unzipped } from "./answerers/onnx.js";

/** @param {string} name */
const held = (name) => unzipped(document.getElementById(`reparam-${name}`).textContent);
const element = document.getElementById("reparam");
start(element, connect(await held("contents"), async () => ({ code: await held("onnxruntime"), wasm: await held("wasm") })));
