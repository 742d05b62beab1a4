/**
 * Draws what is in sight: boxes, lines, operators, marks, from the back to the front.
 *
 * The pen is a canvas or writes SVG. Coordinates handed to it count from the corner of the picture, for a canvas keeps
 * them in single precision, and a graph of a hundred thousand layers is taller than that can tell apart.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./marks.js').NodeMarks} NodeMarks
 * @typedef {import('./theme.js').Theme} Theme
 */

import { paintBoxes, paintTitles } from './paint_boxes.js';
import { paintLabels, paintLines, paintTags } from './paint_lines.js';
import { paintMarks, paintOutlines } from './paint_marks.js';
import { paintNodes } from './paint_nodes.js';

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
 * @param {Pen} pen
 * @param {{scene: Scene, marks: NodeMarks, theme: Theme, words: Words, hover: number, texts: Map<string, string>}} what
 * @param {{x: number, y: number, zoom: number, width: number, height: number, ratio: number}} sight size in pixels of
 *   the page, and pixels of the screen for each
 */
export function paint(pen, what, { x, y, zoom, width, height, ratio }) {
  const { scene, theme } = what;
  const [right, bottom] = [x + width / zoom, y + height / zoom];
  /** @type {Frame} */
  const frame = { pen, ...what, zoom, left: x, top: y, right, bottom, nodes: [] };
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = theme.background;
  pen.fillRect(0, 0, width, height);
  pen.setTransform(zoom * ratio, 0, 0, zoom * ratio, 0, 0);
  pen.lineJoin = 'round';
  frame.nodes = inSight(frame, scene.nodes.query(y, bottom, []));
  const boxes = paintBoxes(frame);
  paintOutlines(frame);
  if (zoom >= DETAIL.line) paintLines(frame);
  if (zoom >= DETAIL.type) paintTitles(frame, boxes);
  if (zoom >= DETAIL.shape) paintTags(frame);
  paintNodes(frame);
  if (zoom >= DETAIL.full) paintLabels(frame);
  paintMarks(frame);
}

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
