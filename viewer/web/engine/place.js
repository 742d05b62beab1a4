/**
 * Horizontal places: the main path runs straight down, other straight stretches stand beside it as close as they can.
 *
 * Items that follow one another are strung together to blocks with one x (as Brandes and Köpf do, Fast and Simple
 * Horizontal Coordinate Assignment, 2001); unlike there, the longest path is a block of its own and everything is
 * packed towards it from both sides, so that it stays at 0 over the whole graph.
 *
 * @module
 * @typedef {import('./segment.js').Segment} Segment
 */

import { ITEM } from './level.js';
import { blockOrder, packBlocks } from './blocks.js';

/** Score of a layer on the main path, of an item that is no bend, of a bend. */
const PER_LAYER = 1000;
const PER_NODE = 4;

/**
 * The path that passes the most layers and, among those, the most operators.
 *
 * @param {Segment} segment
 * @returns {Int32Array} its links from the bottom up; the item at the bottom stands in front of them
 */
function mainPath({ items, layers, into, from, kind }) {
  const score = new Float64Array(items);
  const best = new Int32Array(items).fill(-1);
  for (let item = 0; item < items; item++) {
    let above = 0;
    for (let k = into.offsets[item]; k < into.offsets[item + 1]; k++) {
      const link = into.items[k];
      if (score[from[link]] <= above) continue;
      above = score[from[link]];
      best[item] = link;
    }
    score[item] = above + PER_LAYER + (kind[item] === ITEM.node ? PER_NODE : kind[item] === ITEM.port ? 1 : 0);
  }
  let bottom = layers[layers.length - 2];
  for (let item = bottom; item < items; item++) if (score[item] > score[bottom]) bottom = item;
  const path = [bottom];
  for (let link = best[bottom]; link >= 0; link = best[from[link]]) path.push(link);
  return Int32Array.from(path);
}

/** Chooses which links become straight. */
class Straightener {
  /**
   * @param {Segment} segment
   * @param {Int32Array} position
   */
  constructor(segment, position) {
    this.segment = segment;
    this.position = position;
    /** Link by which an item hangs below another, or has one below it; -1 for none. */
    this.above = new Int32Array(segment.items).fill(-1);
    this.below = new Int32Array(segment.items).fill(-1);
    this.order = orderOf(segment, position);
  }

  /** @param {number} link */
  align(link) {
    this.above[this.segment.to[link]] = link;
    this.below[this.segment.from[link]] = link;
  }

  /**
   * Aligns, layer by layer and from the left, the links that qualify and cross nothing that is aligned already.
   *
   * @param {(link: number) => boolean} qualifies
   */
  alignAll(qualifies) {
    const { layers } = this.segment;
    for (let layer = 1; layer + 1 < layers.length; layer++) this.alignLayer(layer, qualifies);
  }

  /**
   * @param {number} layer the lower one
   * @param {(link: number) => boolean} qualifies
   */
  alignLayer(layer, qualifies) {
    const { layers, into, from } = this.segment;
    const { order, position } = this;
    const upper = layers[layer] - layers[layer - 1];
    const { right } = this.limits(layer, upper);
    let left = -1;
    for (let at = layers[layer]; at < layers[layer + 1]; at++) {
      const item = order[at];
      const fixed = this.above[item];
      if (fixed >= 0) {
        left = Math.max(left, position[from[fixed]]);
        continue;
      }
      const [first, end] = [into.offsets[item], into.offsets[item + 1]];
      const links = Array.from(into.items.subarray(first, end)).filter(qualifies);
      links.sort((a, b) => position[from[a]] - position[from[b]]);
      const middle = (links.length - 1) >> 1;
      for (const link of links.length > 1 ? [links[middle], links[middle + 1]] : links) {
        const place = position[from[link]];
        if (this.below[from[link]] >= 0 || place <= left || place >= right[at - layers[layer]]) continue;
        this.align(link);
        left = place;
        break;
      }
    }
  }

  /**
   * For each item of a layer, the leftmost item above it that hangs together with one to its right.
   *
   * @param {number} layer
   * @param {number} upper number of items in the layer above
   */
  limits(layer, upper) {
    const { layers, from } = this.segment;
    const right = new Int32Array(layers[layer + 1] - layers[layer]);
    let limit = upper;
    for (let at = layers[layer + 1] - 1; at >= layers[layer]; at--) {
      right[at - layers[layer]] = limit;
      const fixed = this.above[this.order[at]];
      if (fixed >= 0) limit = Math.min(limit, this.position[from[fixed]]);
    }
    return { right };
  }
}

/**
 * @param {Segment} segment
 * @param {Int32Array} position
 */
function orderOf({ items, layers }, position) {
  const order = new Int32Array(items);
  for (let layer = 0; layer + 1 < layers.length; layer++) {
    for (let item = layers[layer]; item < layers[layer + 1]; item++) order[layers[layer] + position[item]] = item;
  }
  return order;
}

/**
 * @param {Segment} segment
 * @param {Int32Array} position
 * @returns {Float64Array} middle of each item; the main path is at 0
 */
export function place(segment, position) {
  const { from, to, kind, out, into } = segment;
  const path = mainPath(segment);
  const straight = new Straightener(segment, position);
  for (const link of path.subarray(1)) straight.align(link);
  const single = (/** @type {import('./types.js').Lists} */ lists, /** @type {number} */ item) =>
    lists.offsets[item + 1] - lists.offsets[item] === 1;
  straight.alignAll((link) => kind[from[link]] === ITEM.bend && kind[to[link]] === ITEM.bend);
  straight.alignAll((link) => single(out, from[link]) && single(into, to[link]));
  straight.alignAll(() => true);
  const blocks = blockOrder(segment, straight.order, straight.above, path);
  return packBlocks(segment, straight.order, blocks, path[0]);
}
