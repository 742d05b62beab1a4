/**
 * Operators, folded groups, inputs and outputs, in as much detail as the zoom allows.
 *
 * @module
 * @typedef {import('./frame.js').Frame} Frame
 */

import { DETAIL, fitted, paintToggle } from './frame.js';
import { MARK } from './marks.js';
import { NODE } from './nodes.js';
import { METRICS } from './sizes.js';
import { scaleColour } from './theme.js';

const RADIUS = 7;

/** Fill of the header (or of the whole, seen from afar), text on it, fill of the card, border. */
/** `bare`: no data where others have a colour; its border is dashed, and nothing is filled. */
/** @typedef {{header: string, text: string, card: string, border: string, bare: boolean}} Look */

/**
 * @param {Pick<Frame, 'scene' | 'marks' | 'theme'>} frame
 * @param {number} node
 * @returns {Look}
 */
function lookOf({ scene, marks, theme }, node) {
  const kind = scene.view.kind[node];
  const plain = kind !== NODE.op;
  const base = theme.kinds[scene.kinds[node]];
  const bare = marks.coloured && kind !== NODE.input && kind !== NODE.output && Number.isNaN(marks.colour[node]);
  const look = { header: plain ? theme.card : base, text: plain ? theme.text : theme.header, card: theme.card, border: theme.border, bare };
  if (kind === NODE.input || kind === NODE.output) look.border = base;
  if (marks.coloured && kind !== NODE.input && kind !== NODE.output) {
    const value = marks.colour[node];
    const scale = bare ? { fill: theme.card, text: theme.faint } : scaleColour(value);
    look.header = scale.fill;
    look.text = scale.text;
    if (bare) look.border = theme.none;
  }
  if ((marks.flags[node] & MARK.between) === 0) return look;
  const header = plain || marks.coloured ? look.header : theme.blueHeader;
  const bright = (plain && !marks.coloured) || bare ? theme.blueCard : header;
  return { ...look, header: bright, card: theme.blueCard, border: theme.blue };
}

/** @param {Frame} frame */
export function paintNodes(frame) {
  const { zoom } = frame;
  if (zoom < DETAIL.line) return paintTicks(frame);
  if (zoom < DETAIL.type) return paintBlocks(frame);
  for (const node of frame.nodes) paintNode(frame, node);
}

/**
 * @param {Frame} frame
 * @param {number} node
 */
function paintNode(frame, node) {
  const { pen, scene } = frame;
  const { layout, view } = scene;
  const kind = view.kind[node];
  const look = lookOf(frame, node);
  const [x, y, w, h] = [layout.x[node] - frame.left, layout.y[node] - frame.top, layout.w[node], layout.h[node]];
  pen.lineWidth = 1.2;
  pen.strokeStyle = look.border;
  if (kind === NODE.group) paintStack(frame, x, y, w, h, look);
  const radius = kind === NODE.input || kind === NODE.output ? h / 2 : RADIUS;
  pen.fillStyle = kind === NODE.op ? look.card : look.header;
  pen.beginPath();
  pen.roundRect(x, y, w, h, radius);
  pen.fill();
  if (kind === NODE.op) {
    pen.fillStyle = look.header;
    pen.beginPath();
    pen.roundRect(x, y, w, METRICS.header, h > METRICS.header ? [RADIUS, RADIUS, 0, 0] : RADIUS);
    pen.fill();
  }
  if (look.bare) pen.setLineDash([5, 4]);
  pen.beginPath();
  pen.roundRect(x, y, w, h, radius);
  pen.stroke();
  if (look.bare) pen.setLineDash([]);
  paintTexts(frame, node, x, y, w, look);
}

/**
 * A folded group looks like a pile of cards.
 *
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @param {number} w
 * @param {number} h
 * @param {Look} look
 */
function paintStack({ pen }, x, y, w, h, look) {
  pen.fillStyle = look.card;
  for (const by of [6, 3]) {
    pen.beginPath();
    pen.roundRect(x + by, y + by, w, h, RADIUS);
    pen.fill();
    pen.stroke();
  }
}

/**
 * @param {Frame} frame
 * @param {number} node
 * @param {number} x
 * @param {number} y
 * @param {number} w
 * @param {Look} look
 */
function paintTexts(frame, node, x, y, w, look) {
  const { pen, scene, theme, zoom, words } = frame;
  const kind = scene.view.kind[node];
  const { title, name, constants } = scene.text(node);
  const bodies = kind === NODE.op ? scene.bodies(node).length : 0;
  pen.textBaseline = 'middle';
  pen.textAlign = 'center';
  pen.fillStyle = look.text;
  pen.font = `600 ${METRICS.typeFont}px ${theme.font}`;
  const side = kind === NODE.group || bodies ? 22 : 0;
  const height = kind === NODE.input || kind === NODE.output ? METRICS.pill : METRICS.header;
  pen.fillText(fitted(frame, title, w - 16 - side), x + (w + side) / 2, y + height / 2 + 0.5);
  if (side) paintToggle(frame, x + 16, y + height / 2, true, look.text);
  if (zoom < DETAIL.full) return;
  pen.font = `${METRICS.nameFont}px ${theme.font}`;
  if (kind === NODE.group) {
    pen.fillStyle = look.text === theme.text ? theme.faint : look.text;
    pen.fillText(words.operators(scene.view.groups[scene.view.id[node]].count), x + w / 2, y + METRICS.header + 8);
    return;
  }
  if (kind !== NODE.op) return;
  let line = y + METRICS.header;
  pen.fillStyle = theme.text;
  if (name) {
    pen.fillText(fitted(frame, name, w - 14), x + w / 2, line + METRICS.line / 2 + 2);
    line += METRICS.line;
  }
  pen.font = `${METRICS.labelFont}px ${theme.font}`;
  pen.fillStyle = theme.faint;
  for (const constant of constants) {
    pen.fillText(fitted(frame, constant, w - 14), x + w / 2, line + METRICS.constant / 2 + 2);
    line += METRICS.constant;
  }
}

/**
 * Nodes as plain blocks, a path for each colour.
 *
 * @param {Frame} frame
 */
function paintBlocks(frame) {
  const { pen, scene } = frame;
  const { x, y, w, h } = scene.layout;
  /** @type {Map<string, number[]>} */
  const byColour = new Map();
  for (const node of frame.nodes) {
    const colour = blockColour(frame, node);
    const nodes = byColour.get(colour);
    if (nodes) nodes.push(node);
    else byColour.set(colour, [node]);
  }
  for (const [colour, nodes] of byColour) {
    pen.fillStyle = colour;
    pen.beginPath();
    for (const node of nodes) pen.rect(x[node] - frame.left, y[node] - frame.top, w[node], h[node]);
    pen.fill();
  }
}

/**
 * @param {Pick<Frame, 'scene' | 'marks' | 'theme'>} frame
 * @param {number} node
 */
export function blockColour(frame, node) {
  const { scene, theme, marks } = frame;
  const look = lookOf(frame, node);
  if (look.bare && (marks.flags[node] & MARK.between) === 0) return theme.border;
  if (scene.view.kind[node] === NODE.op) return look.header;
  if (marks.coloured && scene.view.kind[node] === NODE.group) return look.header;
  return (marks.flags[node] & MARK.between) !== 0 ? theme.blue : theme.kinds[scene.kinds[node]];
}

/** A whole graph at once: at most one small block for every few pixels of the screen, however many nodes there are. */
const CELL = 2;

/** @param {Frame} frame */
function paintTicks(frame) {
  const { pen, scene, zoom } = frame;
  const { x, y, w, h } = scene.layout;
  const columns = Math.ceil(((frame.right - frame.left) * zoom) / CELL) + 2;
  const rows = Math.ceil(((frame.bottom - frame.top) * zoom) / CELL) + 2;
  const taken = new Uint8Array(columns * rows);
  const shown = frame.nodes.filter((node) => {
    const column = Math.max(0, Math.floor(((x[node] - frame.left) * zoom) / CELL));
    const row = Math.max(0, Math.floor(((y[node] - frame.top) * zoom) / CELL));
    const cell = row * columns + column;
    if (taken[cell]) return false;
    taken[cell] = 1;
    return true;
  });
  const least = CELL / zoom;
  for (const node of shown) {
    pen.fillStyle = blockColour(frame, node);
    pen.fillRect(x[node] - frame.left, y[node] - frame.top, Math.max(w[node], least), Math.max(h[node], least / 2));
  }
}
