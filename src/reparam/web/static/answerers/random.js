/** Random numbers from a seed. */

/** Uniform numbers in [0, 1) (mulberry32). @param {number} seed @returns {() => number} */
export function uniform(seed) {
  let state = (seed * 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal numbers (Box and Muller). @param {() => number} random @param {number} n */
export function normals(random, n) {
  const found = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    found[i] = radius * Math.cos(angle);
    if (i + 1 < n) found[i + 1] = radius * Math.sin(angle);
  }
  return found;
}
