/**
 * Draws what is in sight: boxes, lines, operators, marks, from the back to the front.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./marks.js').NodeMarks} NodeMarks
 * @typedef {import('./theme.js').Theme} Theme
 * @typedef {import('./frame.js').Frame} Frame
 * @typedef {import('./frame.js').Pen} Pen
 * @typedef {import('./frame.js').Words} Words
 */

import { DETAIL, inSight } from './frame.js';
import { paintBoxes, paintTitles } from './paint_boxes.js';
import { paintLabels, paintLines, paintTags } from './paint_lines.js';
import { paintMarks, paintOutlines } from './paint_marks.js';
import { paintNodes } from './paint_nodes.js';

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
