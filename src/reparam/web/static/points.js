/** Points in WebGL2. Codes of any length lie in a texture and are projected in the shader, so another plane is one small upload. */

const WIDTH = 4096;
/** From this many points on it is measured how long they take. */
const MANY = 50_000;
/** WebGL takes strides of 255 bytes at most, and a colour has four. */
export const LONGEST = 63;
const VERTEX = `#version 300 es
precision highp float; precision highp sampler2D;
uniform sampler2D codes, plane; uniform int texels, stride; uniform vec4 camera; uniform float size;
in vec4 colour; out vec4 shade;
void main() {
  vec2 p = vec2(0);
  int first = gl_VertexID * stride * texels;
  for (int k = 0; k < texels; k++) {
    vec4 z = texelFetch(codes, ivec2((first + k) % ${WIDTH}, (first + k) / ${WIDTH}), 0);
    p += vec2(dot(z, texelFetch(plane, ivec2(k, 0), 0)), dot(z, texelFetch(plane, ivec2(k, 1), 0)));
  }
  gl_Position = vec4((p - camera.xy) * camera.zw, 0, 1);
  gl_PointSize = size; shade = colour;
}`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec4 shade; out vec4 o;
void main() {
  float r = length(gl_PointCoord - .5) * 2.;
  float a = shade.a * (1. - smoothstep(.8, 1., r));
  o = vec4(shade.rgb * a, a);
}`;

export class Points {
  /** @param {HTMLCanvasElement} canvas @param {number} n @param {number} L */
  constructor(canvas, n, L) {
    this.canvas = canvas;
    this.L = Math.max(1, L);
    this.texels = Math.ceil(this.L / 4);
    this.n = n;
    this.filled = 0;
    /** @type {string} what was drawn last */
    this.drawn = "";
    const gl = (this.gl = canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true }));
    if (!gl) throw new Error("this browser has no WebGL2: the map needs it, the other views work");
    const program = (this.program = gl.createProgram());
    for (const [kind, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the map's shader: ${gl.getProgramInfoLog(program)}`);
    gl.useProgram(program);
    /** @param {string} name */
    const uniform = (name) => gl.getUniformLocation(program, name);
    this.at = { texels: uniform("texels"), stride: uniform("stride"), camera: uniform("camera"), size: uniform("size") };
    const height = Math.max(1, Math.ceil(n / WIDTH) * this.texels);
    if (height > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new Error(`${n} codes of ${L} numbers exceed this browser's memory for the map`);
    this.codes = this.texture(0, WIDTH, height);
    this.plane = this.texture(1, this.texels, 2);
    gl.uniform1i(uniform("codes"), 0);
    gl.uniform1i(uniform("plane"), 1);
    gl.uniform1i(this.at.texels, this.texels);
    this.colours = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.colours);
    this.place = gl.getAttribLocation(program, "colour");
    gl.enableVertexAttribArray(this.place);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  /** @param {number} unit @param {number} width @param {number} height */
  texture(unit, width, height) {
    const gl = this.gl;
    const found = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, found);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, width, height);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    return found;
  }

  /** Uploads codes up to row `loaded`; rows that are there already stay. @param {Float32Array} mean @param {number} loaded */
  fill(mean, loaded) {
    const gl = this.gl;
    gl.activeTexture(gl.TEXTURE0);
    for (let start = Math.floor(this.filled / WIDTH) * WIDTH; start < loaded; start += WIDTH) {
      const rows = Math.min(WIDTH, loaded - start);
      const block = new Float32Array(WIDTH * this.texels * 4);
      for (let r = 0; r < rows; r++)
        for (let k = 0; k < this.L; k++) block[r * this.texels * 4 + k] = mean[(start + r) * this.L + k];
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, (start / WIDTH) * this.texels, WIDTH, this.texels, gl.RGBA, gl.FLOAT, block);
    }
    this.filled = loaded;
  }

  /** @param {Uint8Array} rgba (n, 4) */
  colour(rgba) {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.colours);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, rgba, this.gl.STATIC_DRAW);
    this.coloured = rgba.length / 4;
    this.drawn = "";
  }

  /** Every point, or every `stride`-th one; nothing where the same is there already.
   * @param {import("./projection.js").Plane} plane @param {{x: number, y: number, scale: number}} camera scale: pixels a unit
   * @param {number} size of a point in pixels @param {number} stride 1 to LONGEST @returns {number} milliseconds, 0 where nothing was drawn */
  draw({ u, v }, camera, size, stride = 1) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    const n = Math.min(this.filled, this.coloured ?? 0);
    const wanted = [camera.x, camera.y, camera.scale, width, height, n, size, stride, ...u, ...v].join();
    if (wanted === this.drawn) return 0;
    this.drawn = wanted;
    const begun = performance.now();
    const rows = new Float32Array(this.texels * 8);
    rows.set(u, 0);
    rows.set(v, this.texels * 4);
    gl.activeTexture(gl.TEXTURE1);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, this.texels, 2, gl.RGBA, gl.FLOAT, rows);
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform4f(this.at.camera, camera.x, camera.y, (2 * camera.scale) / width, (2 * camera.scale) / height);
    gl.uniform1f(this.at.size, size);
    gl.uniform1i(this.at.stride, stride);
    gl.vertexAttribPointer(this.place, 4, gl.UNSIGNED_BYTE, true, 4 * stride, 0);
    gl.drawArrays(gl.POINTS, 0, Math.ceil(n / stride));
    if (n > MANY) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits until they are drawn
    return performance.now() - begun;
  }

  free() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
