/** A picture to draw on: a new datum. */
import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { imageOf } from "../pictures.js";

/** A picture to draw on. @param {any} props */
export function ImageEditor({ x, put, tool, setTool }) {
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
