/**
 * One level laid out: items placed, room measured, lines drawn. Equal levels are laid out once.
 *
 * @module
 * @typedef {import('./level.js').LevelInput} LevelInput
 * @typedef {import('./memory.js').Memory} Memory
 */

import { Level } from './level.js';
import { routeLevel } from './route.js';
import { arrangeLevel } from './segment.js';

const LOOSE_GAP = 26;

/**
 * Coordinates count from the middle of the top of a level.
 *
 * @typedef {object} Solved
 * @property {Level} level
 * @property {Float64Array} x middle of each item
 * @property {Float64Array} y top of each item
 * @property {number} width
 * @property {number} height
 * @property {number} main x of the main path
 * @property {import('./route.js').Routes} routes
 */

/**
 * @param {LevelInput} input
 * @param {{above: number, below: number}} borders how far the container's own borders are away
 * @param {Memory} memory
 * @returns {Solved}
 */
export function solveLevel(input, borders, memory) {
  setKey(memory.key, input, borders);
  const known = memory.levels.find(memory.key);
  if (known) return known;
  const level = new Level(input);
  const { x, y, layerY, layerH } = arrangeLevel(level, memory);
  const box = measure(level, x, y, layerY, layerH);
  const middle = (box.left + box.right) / 2;
  for (let i = 0; i < x.length; i++) x[i] -= middle;
  const edges = { top: -borders.above, bottom: box.bottom + borders.below };
  const routes = routeLevel({ level, x, y, layerY, layerH }, edges);
  const solved = { level, x, y, width: box.right - box.left, height: box.bottom, main: -middle, routes };
  setKey(memory.key, input, borders);
  memory.levels.keep(memory.key, solved);
  return solved;
}

/**
 * @param {import('./memory.js').Key} key
 * @param {LevelInput} input
 * @param {{above: number, below: number}} borders
 */
function setKey(key, { nodes, w, h, reach, pins, from, to, tensor, fromX, toX }, borders) {
  key.clear();
  key.add(nodes);
  key.add(pins.length);
  key.addPixels(borders.above);
  key.addPixels(borders.below);
  for (let i = 0; i < nodes; i++) {
    key.addPixels(w[i]);
    key.addPixels(h[i]);
    key.addPixels(reach[i]);
  }
  for (let i = nodes; i < pins.length; i++) key.add(pins[i]);
  for (let e = 0; e < from.length; e++) {
    key.add(from[e]);
    key.add(to[e]);
    key.add(tensor[e]);
    key.addPixels(fromX[e]);
    key.addPixels(toX[e]);
  }
}

/**
 * How much room a level takes; nodes without lines are put in rows below the rest.
 *
 * @param {Level} level
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {Float64Array} layerY
 * @param {Float64Array} layerH
 */
function measure(level, x, y, layerY, layerH) {
  const { nodes, reach } = level.input;
  const box = { left: Infinity, right: -Infinity, bottom: 0 };
  for (let i = 0; i < level.items; i++) {
    if (level.rank[i] < 0) continue;
    box.left = Math.min(box.left, x[i] - level.w[i] / 2);
    box.right = Math.max(box.right, x[i] + (i < nodes ? reach[i] : level.w[i] / 2));
  }
  if (level.ranks > 0) box.bottom = layerY[level.ranks - 1] + layerH[level.ranks - 1];
  if (level.ranks === 0) box.left = box.right = 0;
  if (level.loose.length > 0) putInRows(level, x, y, box);
  return box;
}

/**
 * @param {Level} level
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {{left: number, right: number, bottom: number}} box
 */
function putInRows(level, x, y, box) {
  let area = 0;
  for (const item of level.loose) area += (level.w[item] + LOOSE_GAP) * (level.h[item] + LOOSE_GAP);
  const width = Math.max(box.right - box.left, Math.sqrt(area * 2));
  const start = (box.left + box.right - width) / 2;
  let rank = level.ranks;
  let [at, top, height] = [start, box.bottom + (level.ranks > 0 ? 2 * LOOSE_GAP : 0), 0];
  for (const item of level.loose) {
    if (at > start && at + level.w[item] > start + width) {
      [at, top, height] = [start, top + height + LOOSE_GAP, 0];
      rank++;
    }
    x[item] = at + level.w[item] / 2;
    y[item] = top;
    level.rank[item] = rank;
    at += level.w[item] + LOOSE_GAP;
    height = Math.max(height, level.h[item]);
    box.left = Math.min(box.left, x[item] - level.w[item] / 2);
    box.right = Math.max(box.right, x[item] + level.w[item] / 2);
  }
  box.bottom = top + height;
}
