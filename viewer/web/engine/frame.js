/**
 * What all that draws shares: the pen, the picture in the making, and how much detail a zoom allows.
 *
 * The pen is a canvas or writes SVG. Coordinates handed to it count from the corner of the picture, for a canvas keeps
 * them in single precision, and a graph of a hundred thousand layers is taller than that can tell apart.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./marks.js').NodeMarks} NodeMarks
 * @typedef {import('./theme.js').Theme} Theme
 */

import { elide } from './text.js';

/**
 * What drawing needs of `CanvasRenderingContext2D`.
 *
 * @typedef {Pick<CanvasRenderingContext2D, 'fillStyle' | 'strokeStyle' | 'lineWidth' | 'font' | 'textAlign' |
 *   'textBaseline' | 'lineJoin' | 'beginPath' | 'moveTo' | 'lineTo' | 'bezierCurveTo' | 'closePath' | 'roundRect' |
 *   'rect' | 'fill' | 'stroke' | 'fillRect' | 'fillText' | 'strokeText' | 'setLineDash' | 'arc'> &
 *   {measureText(text: string): {width: number}, setTransform(a: number, b: number, c: number, d: number, e: number,
 *   f: number): void}} Pen
 */

/**
 * Words on the picture, in the language of the page.
 *
 * @typedef {object} Words
 * @property {string} start
 * @property {string} end
 * @property {(count: number) => string} operators
 * @property {(count: number) => string} readers
 */

/** @type {Words} */
export const WORDS = {
  start: 'start',
  end: 'end',
  operators: (count) => (count === 1 ? '1 operator' : `${count} operators`),
  readers: (count) => `${count} readers`,
};

/** Least zooms at which texts, names of types, shapes of operators and lines are drawn. */
export const DETAIL = Object.freeze({ full: 0.42, type: 0.26, shape: 0.14, line: 0.045 });

/**
 * A picture in the making. `left` … `bottom` bound what is in sight, in coordinates of the graph.
 *
 * @typedef {object} Frame
 * @property {Pen} pen
 * @property {Scene} scene
 * @property {NodeMarks} marks
 * @property {Theme} theme
 * @property {Words} words
 * @property {number} zoom
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 * @property {number} hover edge of the view under the pointer, or -1
 * @property {number[]} nodes in sight
 * @property {Map<string, string>} texts texts that have been made to fit before
 */

/**
 * Nodes between the left and the right side of the picture.
 *
 * @param {Frame} frame
 * @param {number[]} nodes
 */
export function inSight({ scene, left, right }, nodes) {
  const { x, w } = scene.layout;
  return nodes.filter((node) => x[node] <= right && x[node] + w[node] >= left);
}

/**
 * A text that fits, remembered from frame to frame.
 *
 * @param {Frame} frame with the font set
 * @param {string} text
 * @param {number} width
 */
export function fitted({ pen, texts }, text, width) {
  const key = `${width | 0} ${pen.font.slice(0, 4)} ${text}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  if (texts.size > 20000) texts.clear();
  const made = elide(text, width, (part) => pen.measureText(part).width);
  texts.set(key, made);
  return made;
}

/**
 * A plus or a minus in a square: opens or closes.
 *
 * @param {Frame} frame
 * @param {number} x its middle
 * @param {number} y
 * @param {boolean} plus
 * @param {string | CanvasGradient | CanvasPattern} colour
 */
export function paintToggle({ pen }, x, y, plus, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1.3;
  pen.beginPath();
  pen.roundRect(x - 5.5, y - 5.5, 11, 11, 2.5);
  pen.moveTo(x - 3, y);
  pen.lineTo(x + 3, y);
  if (plus) {
    pen.moveTo(x, y - 3);
    pen.lineTo(x, y + 3);
  }
  pen.stroke();
}
