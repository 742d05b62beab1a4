/**
 * A level cut into segments at layers that hold a single item; equal segments are arranged once.
 *
 * Networks repeat their blocks: a hundred thousand operators often fall into a handful of different segments.
 *
 * @module
 * @typedef {import('./level.js').Level} Level
 * @typedef {import('./types.js').Lists} Lists
 * @typedef {import('./memory.js').Memory} Memory
 */

import { listsBy } from './graph.js';
import { ITEM } from './level.js';
import { orderLayers } from './order.js';
import { place } from './place.js';

/**
 * Layers of items numbered within the segment, layer by layer. Links lead from a layer to the next, sorted by `from`.
 *
 * @typedef {object} Segment
 * @property {number} items
 * @property {Int32Array} layers first item of each layer, and the number of items
 * @property {Float64Array} w
 * @property {Float64Array} h
 * @property {Uint8Array} kind
 * @property {Int32Array} from
 * @property {Int32Array} to
 * @property {Float64Array} fromX
 * @property {Float64Array} toX
 * @property {Lists} out links that leave each item
 * @property {Lists} into
 */

/**
 * @typedef {object} Arranged
 * @property {Float64Array} x middle of each item
 * @property {Float64Array} y top of each layer
 */

const GAP = 44;
/** Below a border, and above one. */
const ENTER_GAP = 6;
const SPREAD_GAP = 32;
const EXIT_GAP = 24;
const BEND_GAP = 16;
/** Lines that run far to the side get more height, so that they stay apart. */
const SLOPE = 0.05;
const MORE = 70;

/**
 * @param {Segment} segment
 * @returns {Arranged}
 */
function arrange(segment) {
  const position = orderLayers(segment);
  const x = place(segment, position);
  const layers = segment.layers.length - 1;
  const y = new Float64Array(layers);
  for (let layer = 1; layer < layers; layer++) {
    const [first, end] = [segment.layers[layer - 1], segment.layers[layer]];
    let height = 0;
    let aside = 0;
    for (let item = first; item < end; item++) {
      height = Math.max(height, segment.h[item]);
      for (let k = segment.out.offsets[item]; k < segment.out.offsets[item + 1]; k++) {
        const link = segment.out.items[k];
        const leaves = x[item] + segment.fromX[link];
        aside = Math.max(aside, Math.abs(x[segment.to[link]] + segment.toX[link] - leaves));
      }
    }
    const gap = gapBetween(segment.kind[first], segment.kind[end], height, aside);
    y[layer] = y[layer - 1] + height + gap + Math.min(MORE, Math.max(0, aside - 100) * SLOPE);
  }
  return { x, y };
}

/**
 * @param {number} above kind of the first item of the upper layer; ports keep to themselves
 * @param {number} below
 * @param {number} height of the upper layer
 * @param {number} aside how far its lines run to the side
 */
function gapBetween(above, below, height, aside) {
  if (above === ITEM.port) return aside < 1 ? ENTER_GAP : SPREAD_GAP;
  if (below === ITEM.port) return EXIT_GAP;
  return height === 0 ? BEND_GAP : GAP;
}

/**
 * Positions of a level's items; the main path is at 0. An item between two segments is placed by the upper one.
 *
 * @param {Level} level
 * @param {Memory} memory
 * @returns {{x: Float64Array, y: Float64Array, layerY: Float64Array, layerH: Float64Array}}
 */
export function arrangeLevel(level, memory) {
  const layers = level.layers();
  const x = new Float64Array(level.items);
  const layerY = new Float64Array(level.ranks);
  const layerH = layerHeights(level, layers);
  const local = new Int32Array(level.items);
  const out = listsBy(level.items, Int32Array.from(level.links.from));
  const single = (/** @type {number} */ rank) => layers.offsets[rank + 1] - layers.offsets[rank] === 1;
  for (let first = 0, last = -1; last < level.ranks - 1; first = last) {
    last = Math.min(first + 1, level.ranks - 1);
    while (last < level.ranks - 1 && !single(last)) last++;
    const top = layerY[first];
    const start = layers.offsets[first];
    const arranged = arrangeSegment(level, layers, out, local, first, last, memory);
    for (let i = first === 0 ? 0 : 1; i < arranged.x.length; i++) x[layers.items[start + i]] = arranged.x[i];
    for (let rank = first; rank <= last; rank++) layerY[rank] = top + arranged.y[rank - first];
  }
  const y = Float64Array.from(level.rank, (rank) => (rank < 0 ? 0 : layerY[rank]));
  return { x, y, layerY, layerH };
}

/**
 * @param {Level} level
 * @param {Lists} layers
 */
function layerHeights(level, layers) {
  const heights = new Float64Array(level.ranks);
  for (let rank = 0; rank < level.ranks; rank++) {
    for (let k = layers.offsets[rank]; k < layers.offsets[rank + 1]; k++) {
      heights[rank] = Math.max(heights[rank], level.h[layers.items[k]]);
    }
  }
  return heights;
}

/**
 * @param {Level} level
 * @param {Lists} layers
 * @param {Lists} out
 * @param {Int32Array} local scratch: number within the segment
 * @param {number} first layer
 * @param {number} last layer, included
 * @param {Memory} memory
 * @returns {Arranged}
 */
function arrangeSegment(level, layers, out, local, first, last, memory) {
  const { key } = memory;
  key.clear();
  key.add(last - first);
  let number = 0;
  for (let rank = first; rank <= last; rank++) {
    key.add(layers.offsets[rank + 1] - layers.offsets[rank]);
    for (let k = layers.offsets[rank]; k < layers.offsets[rank + 1]; k++) local[layers.items[k]] = number++;
  }
  for (let k = layers.offsets[first]; k < layers.offsets[last + 1]; k++) {
    const item = layers.items[k];
    key.add(level.kind[item]);
    key.addPixels(level.w[item]);
    key.addPixels(level.h[item]);
    if (level.rank[item] === last) continue;
    for (let at = out.offsets[item]; at < out.offsets[item + 1]; at++) {
      const link = out.items[at];
      key.add(local[level.links.to[link]]);
      key.addPixels(level.links.fromX[link]);
      key.addPixels(level.links.toX[link]);
    }
    key.add(-1);
  }
  const known = memory.segments.find(key);
  if (known) return known;
  const arranged = arrange(cutOut(level, layers, out, local, first, last));
  memory.segments.keep(key, arranged);
  return arranged;
}

/**
 * @param {Level} level
 * @param {Lists} layers
 * @param {Lists} out
 * @param {Int32Array} local number within the segment
 * @param {number} first layer
 * @param {number} last layer, included
 * @returns {Segment}
 */
function cutOut(level, layers, out, local, first, last) {
  const start = layers.offsets[first];
  const members = layers.items.subarray(start, layers.offsets[last + 1]);
  const items = members.length;
  const bounds = Int32Array.from({ length: last - first + 2 }, (_, k) => layers.offsets[first + k] - start);
  const inner = bounds[last - first];
  let count = 0;
  for (let i = 0; i < inner; i++) count += out.offsets[members[i] + 1] - out.offsets[members[i]];
  const from = new Int32Array(count);
  const to = new Int32Array(count);
  const fromX = new Float64Array(count);
  const toX = new Float64Array(count);
  let end = 0;
  for (let i = 0; i < inner; i++) {
    for (let k = out.offsets[members[i]]; k < out.offsets[members[i] + 1]; k++) {
      const link = out.items[k];
      from[end] = i;
      to[end] = local[level.links.to[link]];
      fromX[end] = level.links.fromX[link];
      toX[end++] = level.links.toX[link];
    }
  }
  const w = Float64Array.from(members, (item) => level.w[item]);
  const h = Float64Array.from(members, (item) => level.h[item]);
  const kind = Uint8Array.from(members, (item) => level.kind[item]);
  const lists = { out: listsBy(items, from), into: listsBy(items, to) };
  return { items, layers: bounds, w, h, kind, from, to, fromX, toX, ...lists };
}
