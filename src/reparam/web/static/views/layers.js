/** The layers of a map that are lines: axes, contours, the ellipse of a posterior, and marks. */
import { contour, density, levels } from "../contours.js";
import { boundsOf, project } from "../projection.js";
import { canvasOf, sizeOf, token } from "../pictures.js";

/** @typedef {import("./scene.js").Scene} Scene */

const SIDE = 72;

/** @param {Scene} scene @param {CanvasRenderingContext2D} g */
export function drawAxes(scene, g) {
  const [ox, oy] = scene.toPixel(0, 0);
  g.strokeStyle = token("--line");
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(ox, 0);
  g.lineTo(ox, scene.height);
  g.moveTo(0, oy);
  g.lineTo(scene.width, oy);
  g.stroke();
}

/** @param {Scene} scene @param {CanvasRenderingContext2D} g */
export function drawCloud(scene, g) {
  const at = scene.at();
  if (!scene.cloud) {
    const [x0, y0, x1, y1] = boundsOf(at);
    const [mx, my] = [(x1 - x0) * 0.12 + 1e-6, (y1 - y0) * 0.12 + 1e-6];
    const box = [x0 - mx, y0 - my, x1 + mx, y1 + my];
    const grid = density(at, box, SIDE);
    scene.cloud = levels(grid, [0.5, 0.8, 0.95]).map((height) => contour(grid, box, SIDE, height));
    scene.store.state.layer.density = scene.cloud.flat().length;
  }
  segments(scene, g, scene.cloud, token("--ink"), []);
}

/** @param {Scene} scene @param {CanvasRenderingContext2D} g @param {number[][][]} lines @param {string} colour @param {number[]} dashes */
export function segments(scene, g, lines, colour, dashes) {
  g.strokeStyle = colour;
  g.setLineDash(dashes);
  lines.forEach((segments, i) => {
    g.globalAlpha = 0.55 - 0.13 * i;
    g.lineWidth = 1.2;
    g.beginPath();
    for (const [x0, y0, x1, y1] of segments) {
      g.moveTo(...scene.toPixel(x0, y0));
      g.lineTo(...scene.toPixel(x1, y1));
    }
    g.stroke();
  });
  g.setLineDash([]);
  g.globalAlpha = 1;
}

/** @param {Scene} scene @param {CanvasRenderingContext2D} g */
export function drawOval(scene, g) {
  const { centre, radii, angle, x, at } = scene.oval;
  const [cx, cy] = scene.toPixel(centre[0], centre[1]);
  g.strokeStyle = token("--accent");
  g.lineWidth = 2;
  g.beginPath();
  g.ellipse(cx, cy, Math.max(3, radii[0] * scene.camera.scale), Math.max(3, radii[1] * scene.camera.scale), -angle, 0, 2 * Math.PI);
  g.stroke();
  const info = scene.store.infos[scene.model];
  if (!x || info.kind !== "image") return;
  const { shape } = info;
  const size = sizeOf(info);
  at.forEach((/** @type {[number, number]} */ end, /** @type {number} */ i) => {
    const [px, py] = scene.toPixel(end[0], end[1]);
    const away = Math.hypot(px - cx, py - cy) || 1;
    const out = Math.max(away, 34) + 18;
    g.imageSmoothingEnabled = false;
    const [qx, qy] = [cx + ((px - cx) / away) * out, cy + ((py - cy) / away) * out];
    g.drawImage(canvasOf(x, shape, i * size), qx - 16, qy - 16, 32, 32);
    g.strokeRect(qx - 16.5, qy - 16.5, 33, 33);
  });
}

/** The current code, the crosshair of the keyboard, and the line of a tool. @param {Scene} scene @param {CanvasRenderingContext2D} g */
export function drawMarks(scene, g) {
  const { z } = scene.store.state;
  const [ink, accent] = [token("--ink"), token("--accent")];
  if (z.length === scene.codes.L && scene.codes.L) {
    const [px, py] = scene.toPixel(...project(scene.plane, z));
    g.strokeStyle = ink;
    g.lineWidth = 2;
    g.beginPath();
    g.arc(px, py, 7, 0, 2 * Math.PI);
    g.stroke();
  }
  if (scene.cross) {
    const [px, py] = scene.toPixel(...scene.cross);
    g.strokeStyle = accent;
    g.lineWidth = 1.5;
    g.beginPath();
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      g.moveTo(px - 12 * dx, py - 12 * dy);
      g.lineTo(px + 12 * dx, py + 12 * dy);
    }
    g.stroke();
  }
  if (scene.line?.points.length) {
    g.beginPath();
    for (const point of scene.line.points) g.lineTo(...scene.toPixel(point[0], point[1]));
    if (scene.line.tool !== "path") g.closePath();
    g.strokeStyle = accent;
    g.lineWidth = 2;
    g.stroke();
    g.globalAlpha = 0.1;
    g.fillStyle = accent;
    if (scene.line.tool !== "path") g.fill();
    g.globalAlpha = 1;
  }
}
