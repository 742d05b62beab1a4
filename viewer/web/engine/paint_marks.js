/**
 * What the user has pointed at: selection, search hits, start and end, inputs of the cut, fused groups.
 *
 * @module
 * @typedef {import('./frame.js').Frame} Frame
 */

import { EDGE, MARK } from './marks.js';
import { DETAIL } from './frame.js';
import { scaleColour } from './theme.js';

/** @param {Frame} frame */
export function paintOutlines(frame) {
  const { pen, theme, marks, zoom } = frame;
  if (marks.outlines.length === 0 || zoom < DETAIL.line) return;
  pen.strokeStyle = theme.fused;
  pen.lineWidth = Math.max(1.5, 1 / zoom);
  for (const stored of [true, false]) {
    pen.setLineDash(stored ? [] : [6, 4]);
    pen.beginPath();
    for (const outline of marks.outlines) {
      const away = outline.y > frame.bottom || outline.y + outline.h < frame.top;
      if (outline.stored !== stored || away) continue;
      pen.roundRect(outline.x - frame.left, outline.y - frame.top, outline.w, outline.h, 10);
    }
    pen.stroke();
  }
  pen.setLineDash([]);
}

/** @param {Frame} frame */
export function paintMarks(frame) {
  const { marks, zoom } = frame;
  const marked = frame.nodes.filter((node) => marks.flags[node] & ~MARK.between);
  const { theme } = frame;
  ring(frame, marked, MARK.found, theme.green, 1.6, 3);
  ring(frame, marked, MARK.selected, theme.blue, 3, 3);
  ring(frame, marked, MARK.hit, theme.green, 3.5, 7);
  if (zoom < DETAIL.shape) return;
  for (const node of marked) {
    if (marks.flags[node] & MARK.dumped) paintDot(frame, node);
    if (marks.flags[node] & MARK.start) paintFlag(frame, node, frame.words.start, true);
    if (marks.flags[node] & MARK.end) paintFlag(frame, node, frame.words.end, false);
  }
  if (zoom >= DETAIL.full) paintValues(frame);
  paintInputs(frame);
}

/**
 * @param {Frame} frame
 * @param {number[]} nodes
 * @param {number} bit
 * @param {string} colour
 * @param {number} width
 * @param {number} away
 */
function ring({ pen, scene, marks, left, top, zoom }, nodes, bit, colour, width, away) {
  const { x, y, w, h } = scene.layout;
  const far = Math.max(1, 0.5 / zoom);
  pen.strokeStyle = colour;
  pen.lineWidth = width * far;
  pen.beginPath();
  for (const node of nodes) {
    if (!(marks.flags[node] & bit)) continue;
    const by = away * far;
    pen.roundRect(x[node] - left - by, y[node] - top - by, w[node] + 2 * by, h[node] + 2 * by, 7 + by);
  }
  pen.stroke();
}

/**
 * @param {Frame} frame
 * @param {number} node
 */
function paintDot({ pen, scene, theme, left, top }, node) {
  const { x, y, w, h } = scene.layout;
  pen.fillStyle = theme.fused;
  pen.beginPath();
  pen.arc(x[node] - left + w[node] - 8, y[node] - top + h[node] - 8, 3, 0, 2 * Math.PI);
  pen.fill();
}

/**
 * A flag at the upper (start) or lower (end) left corner.
 *
 * @param {Frame} frame
 * @param {number} node
 * @param {string} word
 * @param {boolean} start
 */
function paintFlag({ pen, scene, theme, left, top }, node, word, start) {
  const { x, y, w, h } = scene.layout;
  pen.font = `700 11px ${theme.font}`;
  const text = start ? `▼ ${word}` : `■ ${word}`;
  const width = pen.measureText(text).width + 16;
  // Clear of the line, which runs through the middle.
  const flagX = x[node] - left + Math.min(-8, w[node] / 2 - 14 - width);
  const flagY = start ? y[node] - top - 13 : y[node] - top + h[node] - 5;
  pen.fillStyle = theme.blue;
  pen.strokeStyle = theme.card;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(flagX, flagY, width, 18, 9);
  pen.fill();
  pen.stroke();
  pen.fillStyle = theme.dark ? '#0b1220' : '#ffffff';
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.fillText(text, flagX + 8, flagY + 9.5);
}

/** The value of an operator at its upper right corner. @param {Frame} frame */
function paintValues(frame) {
  const { pen, scene, marks, theme } = frame;
  const { values } = marks.marks;
  if (!marks.coloured || !values) return;
  const { x, y, w } = scene.layout;
  pen.font = `600 10px ${theme.font}`;
  pen.textAlign = 'right';
  pen.textBaseline = 'middle';
  for (const node of frame.nodes) {
    const value = marks.colour[node];
    const id = scene.view.id[node];
    if (scene.view.kind[node] !== 0 || Number.isNaN(value)) continue;
    const text = values(id);
    if (!text) continue;
    const width = pen.measureText(text).width + 12;
    const [right, middle] = [x[node] - frame.left + w[node] + 6, y[node] - frame.top - 3];
    const scale = scaleColour(value);
    pen.fillStyle = scale.fill;
    pen.strokeStyle = theme.card;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(right - width, middle - 8, width, 16, 8);
    pen.fill();
    pen.stroke();
    pen.fillStyle = scale.text;
    pen.fillText(text, right - 6, middle + 0.5);
  }
}

/** A disc where an input of the cut enters its reader. @param {Frame} frame */
function paintInputs(frame) {
  const { pen, scene, marks, theme } = frame;
  if (!marks.marks.edges) return;
  const { edgePieces, pieces } = scene.layout;
  for (const node of frame.nodes) {
    for (let k = scene.arriving.offsets[node]; k < scene.arriving.offsets[node + 1]; k++) {
      const edge = scene.arriving.items[k];
      const mark = marks.edges[edge];
      if (mark !== EDGE.input && mark !== EDGE.side) continue;
      const last = pieces.offsets[edgePieces.items[edgePieces.offsets[edge + 1] - 1] + 1] - 1;
      pen.fillStyle = mark === EDGE.side ? theme.side : theme.orange;
      pen.strokeStyle = theme.card;
      pen.lineWidth = 1.5;
      pen.beginPath();
      const [x, y] = [pieces.points[2 * last] - frame.left, pieces.points[2 * last + 1] - frame.top - 5];
      // Another shape too: not every eye, and not every theme, has two colours.
      if (mark === EDGE.side) pen.roundRect(x - 5, y - 5, 10, 10, 0);
      else pen.arc(x, y, 5.5, 0, 2 * Math.PI);
      pen.fill();
      pen.stroke();
    }
  }
}
