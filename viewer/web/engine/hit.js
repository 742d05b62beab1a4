/**
 * What lies under a point, and where the arrow keys lead.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./types.js').Hit} Hit
 */

import { isContainer, NODE } from './nodes.js';
import { METRICS } from './sizes.js';

/** Pixels of the screen within which a line counts as hit. */
const NEAR = 5;
const TOGGLE = 28;
/** Straight stretches that a curve is taken for. */
const STEPS = 10;

/**
 * @param {Scene} scene
 * @param {number} x in the graph
 * @param {number} y
 * @param {number} zoom
 * @returns {Hit | null}
 */
export function hitAt(scene, x, y, zoom) {
  const { layout, depth } = scene;
  const within = (/** @type {number} */ node) => x >= layout.x[node] && x <= layout.x[node] + layout.w[node];
  const node = scene.nodes.query(y, y, []).find(within);
  if (node !== undefined) return hitNode(scene, node, x, y);
  const { tags } = layout;
  const tag = scene.tags.query(y, y, []).find((k) => x >= tags.x[k] && x <= tags.x[k] + tags.w[k]);
  if (tag !== undefined) return hitTag(scene, tag);
  const boxes = scene.boxes.query(y, y, []).filter(within).sort((a, b) => depth[b] - depth[a] || b - a);
  const title = boxes.find((box) => y <= layout.y[box] + METRICS.title);
  if (title !== undefined) return hitNode(scene, title, x, y);
  return hitLine(scene, x, y, NEAR / zoom);
}

/**
 * @param {Scene} scene
 * @param {number} node
 * @param {number} x
 * @param {number} y
 * @returns {Hit}
 */
function hitNode(scene, node, x, y) {
  const { view, layout } = scene;
  const kind = view.kind[node];
  const id = view.id[node];
  const atToggle = x <= layout.x[node] + TOGGLE && y <= layout.y[node] + METRICS.title;
  if (kind === NODE.input) return { kind: 'input', id, node };
  if (kind === NODE.output) return { kind: 'output', id, node };
  if (kind === NODE.group || kind === NODE.open) {
    return { kind: 'group', id, node, scope: view.groups[id].scope, toggle: atToggle || kind === NODE.open };
  }
  const foldable = scene.bodies(node).length > 0;
  return { kind: 'op', id, node, toggle: foldable && atToggle };
}

/**
 * @param {Scene} scene
 * @param {number} tag
 * @returns {Hit}
 */
function hitTag({ view, layout }, tag) {
  const { tags, pieces } = layout;
  const edge = pieces.edge[tags.piece[tag]];
  const far = tags.side[tag] === 0 ? view.edges.to[edge] : view.edges.from[edge];
  const near = tags.side[tag] === 0 ? view.edges.from[edge] : view.edges.to[edge];
  return { kind: 'edge', id: edge, node: near, to: far };
}

/**
 * @param {Scene} scene
 * @param {number} x
 * @param {number} y
 * @param {number} near
 * @returns {Hit | null}
 */
function hitLine({ view, layout, pieces }, x, y, near) {
  const { edge, stub } = layout.pieces;
  let best = near;
  let found = -1;
  for (const piece of pieces.query(y - near, y + near, [])) {
    if (stub[piece]) continue;
    const away = distance(layout.pieces, piece, x, y, best);
    if (away >= best) continue;
    best = away;
    found = edge[piece];
  }
  return found < 0 ? null : { kind: 'edge', id: found, node: view.edges.from[found] };
}

/**
 * How far a point is from a line, as far as that is less than `limit`.
 *
 * @param {import('./types.js').Layout['pieces']} pieces
 * @param {number} piece
 * @param {number} x
 * @param {number} y
 * @param {number} limit
 */
function distance({ offsets, points }, piece, x, y, limit) {
  let best = limit;
  for (let k = offsets[piece] + 1; k < offsets[piece + 1]; k++) {
    const [x0, y0, x1, y1] = [points[2 * k - 2], points[2 * k - 1], points[2 * k], points[2 * k + 1]];
    if (y < Math.min(y0, y1) - best || y > Math.max(y0, y1) + best) continue;
    const steps = Math.abs(x0 - x1) < 0.5 ? 1 : STEPS;
    let [lastX, lastY] = [x0, y0];
    for (let step = 1; step <= steps; step++) {
      const t = step / steps;
      // Control points stand above and below the ends, half way down.
      const ease = t * t * (3 - 2 * t);
      const nextX = x0 + (x1 - x0) * ease;
      const nextY = y0 + (y1 - y0) * (1.5 * t * (1 - t) + t * t * t);
      best = Math.min(best, toStretch(x, y, lastX, lastY, nextX, nextY));
      [lastX, lastY] = [nextX, nextY];
    }
  }
  return best;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function toStretch(x, y, x0, y0, x1, y1) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(Math.max(((x - x0) * dx + (y - y0) * dy) / length, 0), 1);
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

/**
 * Where an arrow key leads from a node: along a line up or down, else to the neighbour beside it.
 *
 * @param {Scene} scene
 * @param {number} node
 * @param {'up' | 'down' | 'left' | 'right'} direction
 * @returns {number} node, or -1
 */
export function neighbour(scene, node, direction) {
  const { view, layout, leaving, arriving } = scene;
  if (direction === 'down' || direction === 'up') {
    const { offsets, items } = direction === 'down' ? leaving : arriving;
    if (offsets[node] === offsets[node + 1]) return -1;
    return (direction === 'down' ? view.edges.to : view.edges.from)[items[offsets[node]]];
  }
  const sign = direction === 'right' ? 1 : -1;
  let best = -1;
  let nearest = Infinity;
  for (const other of scene.nodes.query(layout.y[node], layout.y[node] + layout.h[node], [])) {
    const away = sign * (layout.x[other] - layout.x[node]);
    if (other === node || isContainer(view.kind[other]) || away <= 0 || away >= nearest) continue;
    nearest = away;
    best = other;
  }
  return best;
}
