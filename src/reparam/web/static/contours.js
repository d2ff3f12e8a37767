/** Densities on a grid and their contours. */

/** The density of points on a grid (side, side) over a box, smoothed thrice by a running mean.
 * @param {Float32Array} at positions (n, 2) @param {number[]} box @param {number} side */
export function density(at, box, side) {
  let grid = new Float32Array(side * side);
  for (let i = 0; i < at.length; i += 2) {
    const c = Math.floor(((at[i] - box[0]) / (box[2] - box[0])) * side);
    const r = Math.floor(((at[i + 1] - box[1]) / (box[3] - box[1])) * side);
    if (c >= 0 && c < side && r >= 0 && r < side) grid[r * side + c]++;
  }
  for (let pass = 0; pass < 3; pass++)
    for (const [along, across] of [[1, side], [side, 1]]) {
      const next = new Float32Array(side * side);
      for (let a = 0; a < side; a++)
        for (let b = 0; b < side; b++) {
          let sum = 0;
          for (let d = -2; d <= 2; d++) if (b + d >= 0 && b + d < side) sum += grid[a * across + (b + d) * along];
          next[a * across + b * along] = sum / 5;
        }
      grid = next;
    }
  return grid;
}

/** The heights above which lie these shares of the mass. @param {Float32Array} grid @param {number[]} shares */
export function levels(grid, shares) {
  const sorted = Float32Array.from(grid).sort().reverse();
  const total = sorted.reduce((a, b) => a + b, 0);
  return shares.map((share) => {
    let sum = 0;
    for (const value of sorted) if ((sum += value) >= share * total) return value;
    return 0;
  });
}

/** Segments [x0, y0, x1, y1] of the contour at a height, by marching squares.
 * @param {Float32Array} grid @param {number[]} box @param {number} side @param {number} height */
export function contour(grid, box, side, height) {
  /** @type {number[][]} */
  const found = [];
  const [w, h] = [(box[2] - box[0]) / side, (box[3] - box[1]) / side];
  for (let r = 0; r < side - 1; r++)
    for (let c = 0; c < side - 1; c++) {
      const corners = [grid[r * side + c], grid[r * side + c + 1], grid[(r + 1) * side + c + 1], grid[(r + 1) * side + c]];
      /** @type {number[][]} */
      const cuts = [];
      for (let e = 0; e < 4; e++) {
        const [p, q] = [corners[e], corners[(e + 1) % 4]];
        if (p >= height === q >= height) continue;
        const t = (height - p) / (q - p);
        const [x, y] = [[t, 0], [1, t], [1 - t, 1], [0, 1 - t]][e];
        cuts.push([box[0] + (c + 0.5 + x) * w, box[1] + (r + 0.5 + y) * h]);
      }
      for (let k = 0; k + 1 < cuts.length; k += 2) found.push([...cuts[k], ...cuts[k + 1]]);
    }
  return found;
}
