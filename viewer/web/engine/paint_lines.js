/**
 * Lines, what is written beside them, and the tags that long ones end in.
 *
 * @module
 * @typedef {import('./frame.js').Frame} Frame
 */

import { EDGE } from './marks.js';
import { NODE } from './nodes.js';
import { DETAIL, fitted } from './frame.js';
import { METRICS } from './sizes.js';

const ARROW = 4;
/** Stroke and gap of an input from the side, in widths of the line: not every eye, and not every theme, has two colours. */
const DASHES = [3, 2];

/**
 * Adds a piece to the path. A stub is only drawn as far as its tags, unless it is wanted whole.
 *
 * @param {Frame} frame
 * @param {number} piece
 * @param {boolean} [whole]
 */
export function tracePiece({ pen, scene, left, top, zoom }, piece, whole = false) {
  const { offsets, points, stub } = scene.layout.pieces;
  const first = offsets[piece];
  const end = offsets[piece + 1];
  let [x, y] = [points[2 * first] - left, points[2 * first + 1] - top];
  pen.moveTo(x, y);
  for (let k = first + 1; k < end; k++) {
    const [nextX, nextY] = [points[2 * k] - left, points[2 * k + 1] - top];
    if (stub[piece] && k === first + 2 && !whole) pen.moveTo(nextX, nextY);
    else if (Math.abs(nextX - x) < 0.5 || zoom < DETAIL.shape) pen.lineTo(nextX, nextY);
    else {
      const middle = (y + nextY) / 2;
      pen.bezierCurveTo(x, middle, nextX, middle, nextX, nextY);
    }
    [x, y] = [nextX, nextY];
  }
}

/**
 * @param {Frame} frame
 * @param {number[]} pieces
 * @param {string} colour
 * @param {number} width in pixels of the screen once zoomed out
 * @param {boolean} [whole]
 * @param {boolean} [dashed]
 */
function strokePieces(frame, pieces, colour, width, whole = false, dashed = false) {
  if (pieces.length === 0) return;
  const { pen, zoom, scene } = frame;
  const { offsets, points, arrow } = scene.layout.pieces;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = Math.max(width, (width * 0.6) / zoom);
  if (dashed) pen.setLineDash(DASHES.map((length) => length * pen.lineWidth));
  pen.beginPath();
  for (const piece of pieces) tracePiece(frame, piece, whole);
  pen.stroke();
  if (dashed) pen.setLineDash([]);
  if (zoom < DETAIL.type) return;
  pen.beginPath();
  for (const piece of pieces) {
    if (!arrow[piece]) continue;
    const last = offsets[piece + 1] - 1;
    const [x, y] = [points[2 * last] - frame.left, points[2 * last + 1] - frame.top];
    pen.moveTo(x, y);
    pen.lineTo(x - ARROW, y - ARROW * 1.8);
    pen.lineTo(x + ARROW, y - ARROW * 1.8);
    pen.closePath();
  }
  pen.fill();
}

/** @param {Frame} frame */
export function paintLines(frame) {
  const { scene, marks, theme } = frame;
  const { edge: edgeOf } = scene.layout.pieces;
  const pieces = scene.pieces.query(frame.top, frame.bottom, []);
  const lit = litEdges(frame);
  /** @type {number[][]} */
  const [plain, between, input, side, output] = [[], [], [], [], []];
  const { between: range } = marks.marks;
  for (const piece of pieces) {
    const edge = edgeOf[piece];
    if (range && marks.isBetween(edge)) between.push(piece);
    else plain.push(piece);
  }
  strokePieces(frame, plain, theme.line, 1.3);
  strokePieces(frame, between, theme.blue, 2);
  for (const edge of markedEdges(frame, pieces)) {
    const mark = marks.edges[edge];
    (mark === EDGE.side ? side : mark === EDGE.input ? input : output).push(...piecesOf(frame, edge));
  }
  const marked = lit.filter((edge) => isInput(marks, edge));
  strokePieces(frame, lit.filter((edge) => !marked.includes(edge)).flatMap((edge) => piecesOf(frame, edge)), theme.blue, 2.2, true);
  // What is lit and an input of the cut is both: its own colour, with a border.
  strokePieces(frame, marked.flatMap((edge) => piecesOf(frame, edge)), theme.blue, 6, true);
  strokePieces(frame, output, theme.blue, 2.4);
  strokePieces(frame, input, theme.orange, 2.4);
  strokePieces(frame, side, theme.side, 2.4, false, true);
}

/** @param {import('./marks.js').NodeMarks} marks @param {number} edge of the view */
function isInput({ marks, edges }, edge) {
  return Boolean(marks.edges) && (edges[edge] === EDGE.input || edges[edge] === EDGE.side);
}

/**
 * Marked edges of which a piece is in sight.
 *
 * @param {Frame} frame
 * @param {number[]} pieces
 */
function markedEdges({ scene, marks }, pieces) {
  if (!marks.marks.edges) return [];
  const { edges } = scene.view;
  /** @type {Set<number>} */
  const found = new Set();
  for (const piece of pieces) {
    const from = edges.from[scene.layout.pieces.edge[piece]];
    for (let k = scene.leaving.offsets[from]; k < scene.leaving.offsets[from + 1]; k++) {
      if (marks.edges[scene.leaving.items[k]]) found.add(scene.leaving.items[k]);
    }
  }
  return [...found].sort((a, b) => a - b);
}

/**
 * Edges under the pointer and edges of the selected operator; of a hub, as many as still say something.
 *
 * @param {Frame} frame
 */
function litEdges({ scene, marks, hover }) {
  const node = scene.nodeOf(marks.marks.selected ?? -1);
  const lit = hover >= 0 ? [hover] : [];
  if (node < 0) return lit;
  for (const { offsets, items } of [scene.leaving, scene.arriving]) {
    for (let k = offsets[node]; k < Math.min(offsets[node + 1], offsets[node] + 200); k++) lit.push(items[k]);
  }
  return lit;
}

/**
 * @param {Frame} frame
 * @param {number} edge
 */
function piecesOf({ scene }, edge) {
  const { offsets, items } = scene.layout.edgePieces;
  return Array.from(items.subarray(offsets[edge], offsets[edge + 1]));
}

/** Format and shape beside the place where a tensor leaves its operator. @param {Frame} frame */
export function paintLabels(frame) {
  const { pen, scene, theme } = frame;
  const { view, layout, labelled, depth } = scene;
  const { offsets, points, edge: edgeOf } = layout.pieces;
  pen.font = `${METRICS.labelFont}px ${theme.font}`;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  pen.lineWidth = 3.5;
  for (const piece of scene.pieces.query(frame.top, frame.bottom, [])) {
    if (!labelled[piece]) continue;
    const edge = edgeOf[piece];
    const label = view.edges.label[edge];
    const text = label >= 0 ? view.labels[label] : view.edges.many[edge] > 1 ? `× ${view.edges.many[edge]}` : '';
    if (!text) continue;
    const from = view.edges.from[edge];
    const x = points[2 * offsets[piece]] - frame.left + 6;
    const y = points[2 * offsets[piece] + 1] - frame.top + (view.kind[from] === NODE.group ? 17 : 12);
    const inner = depth[from] - 1;
    pen.strokeStyle = inner < 0 ? theme.background : inner % 2 === 0 ? theme.box : theme.boxDeep;
    pen.fillStyle = theme.faint;
    const shown = fitted(frame, text, Math.max(layout.w[from], 120));
    pen.strokeText(shown, x, y);
    pen.fillText(shown, x, y);
  }
}

/** @param {Frame} frame */
export function paintTags(frame) {
  const { pen, scene, theme, zoom } = frame;
  const { tags } = scene.layout;
  const shown = scene.tags.query(frame.top, frame.bottom, []);
  pen.font = `${METRICS.labelFont}px ${theme.font}`;
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  for (const tag of shown) {
    const [x, y] = [tags.x[tag] - frame.left, tags.y[tag] - frame.top];
    pen.fillStyle = theme.card;
    pen.strokeStyle = theme.line;
    pen.lineWidth = 1;
    pen.setLineDash([3, 2]);
    pen.beginPath();
    pen.roundRect(x, y, tags.w[tag], tags.h[tag], tags.h[tag] / 2);
    pen.fill();
    pen.stroke();
    pen.setLineDash([]);
    if (zoom < DETAIL.type) continue;
    pen.fillStyle = theme.faint;
    const text = fitted(frame, tagText(frame, tag), tags.w[tag] - 16);
    pen.fillText(text, x + tags.w[tag] / 2, y + tags.h[tag] / 2 + 0.5);
  }
}

/**
 * @param {Frame} frame
 * @param {number} tag
 */
function tagText({ scene, words }, tag) {
  const { tags, pieces } = scene.layout;
  const edge = pieces.edge[tags.piece[tag]];
  if (tags.side[tag] === 0 && tags.many[tag] > 1) return `→ ${words.readers(tags.many[tag])}`;
  const node = tags.side[tag] === 0 ? scene.view.edges.to[edge] : scene.view.edges.from[edge];
  const { name, title } = scene.text(node);
  const shown = name || title;
  return tags.side[tag] === 0 ? `→ ${shown}` : `${shown} →`;
}
