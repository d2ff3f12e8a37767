/** A row of decoded codes, with its GIF and csv. */
import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { useStore } from "../store.js";
import { canvasOf, limits, Picture, plot, sizeOf } from "../pictures.js";
import { download, gif, saveCodes } from "../files.js";

/** @param {{codes: ArrayLike<number>[], y?: number | number[], title: string, onClose?: () => void, onPick?: (i: number) => void, plain?: boolean}} props */
export function Strip({ codes, y, title, onClose, onPick, plain = false }) {
  const store = useStore();
  const { info } = store;
  const [x, setX] = useState(/** @type {any} */ (null));
  const classes = y ?? store.state.y;
  useEffect(() => {
    let live = true;
    store.decode(codes, classes).then(({ arrays }) => live && setX(arrays), store.failed);
    return () => {
      live = false;
    };
  }, [codes, String(classes)]);
  const film = () => {
    const { shape } = info;
    const size = sizeOf(info);
    const canvas = document.createElement("canvas");
    const grow = info.kind === "image" ? Math.max(1, Math.round(160 / shape[0])) : 1;
    [canvas.width, canvas.height] = info.kind === "image" ? [shape[1] * grow, shape[0] * grow] : [240, 150];
    const g = canvas.getContext("2d", { willReadFrequently: true });
    const frames = codes.map((_, i) => {
      if (info.kind === "image") {
        g.imageSmoothingEnabled = false;
        g.drawImage(canvasOf(x.x.data, shape, i * size), 0, 0, canvas.width, canvas.height);
      } else plot(g, 240, 150, info.kind, x.x.data, i * size, size, limits(info));
      return g.getImageData(0, 0, canvas.width, canvas.height);
    });
    download("path.gif", gif(frames), "image/gif");
  };
  return html`<figure class="strip">
    ${title ? html`<figcaption>${title}${plain ? null : html`<span class="buttons">
      ${x && info.kind !== "table" ? html`<button onClick=${film}>GIF</button>` : null}
      <button onClick=${() => saveCodes("path.csv", codes)}>csv of codes</button>
      ${onClose ? html`<button onClick=${onClose} aria-label="Close the strip">close</button>` : null}</span>`}</figcaption>` : null}
    <div class="tiles">${x ? codes.map((_, i) => html`<button class="tile" aria-label=${info.kind === "table" ? undefined : `take step ${i + 1} of ${codes.length}`}
      onClick=${() => (onPick ? onPick(i) : store.move(codes[i]))}><${Picture} x=${x.x.data} i=${i} sd=${x.sd?.data} model=${store.state.model} few=${6} /></button>`) : null}</div>
  </figure>`;
}
