/**
 * Blocks of items with one x, packed from both sides against the main one.
 *
 * @module
 * @typedef {import('./segment.js').Segment} Segment
 */

import { listsBy } from './graph.js';
import { ITEM } from './level.js';

const NODE_SPACE = 26;
const LINE_SPACE = 14;
/** Rounds in which side branches move outwards to stand under what they hang on. */
const ROUNDS = 2;

/**
 * @typedef {object} Blocks
 * @property {number} count
 * @property {Int32Array} of block of each item
 * @property {Float64Array} shift of each item from its block's x
 */

/**
 * @param {Segment} segment
 * @param {Int32Array} order
 * @param {Int32Array} above the link by which an item hangs straight below another, or -1
 * @param {Int32Array} path the main path: an item and the links up from it
 * @returns {Blocks}
 */
export function blockOrder({ items, from, to, fromX, toX }, order, above, path) {
  const of = new Int32Array(items);
  const shift = new Float64Array(items);
  let count = 0;
  for (const item of order) {
    const link = above[item];
    if (link < 0) {
      of[item] = count++;
      continue;
    }
    of[item] = of[from[link]];
    shift[item] = shift[from[link]] + fromX[link] - toX[link];
  }
  // A box may pass the main path on at another place than where it got it: what follows goes back to 0, or the path
  // would drift aside, box by box.
  const links = path.subarray(1);
  for (const link of links) shift[to[link]] = -toX[link];
  if (links.length > 0) shift[from[links[links.length - 1]]] = -fromX[links[links.length - 1]];
  return { count, of, shift };
}

/**
 * Which block stands left of which, and how far apart they have to be: one entry for each pair of neighbours.
 *
 * @param {Segment} segment
 * @param {Int32Array} order
 * @param {Blocks} blocks
 */
function neighbours({ layers, w, kind }, order, { of, shift }) {
  const left = [];
  const right = [];
  const apart = [];
  for (let layer = 0; layer + 1 < layers.length; layer++) {
    for (let at = layers[layer] + 1; at < layers[layer + 1]; at++) {
      const [a, b] = [order[at - 1], order[at]];
      const line = kind[a] === ITEM.bend || kind[b] === ITEM.bend || (kind[a] === ITEM.port && kind[b] === ITEM.port);
      left.push(of[a]);
      right.push(of[b]);
      apart.push(shift[a] - shift[b] + (w[a] + w[b]) / 2 + (line ? LINE_SPACE : NODE_SPACE));
    }
  }
  return { left: Int32Array.from(left), right: Int32Array.from(right), apart: Float64Array.from(apart) };
}

/**
 * @param {number} count
 * @param {{left: Int32Array, right: Int32Array}} pairs
 * @param {import('./types.js').Lists} after
 */
function leftToRight(count, { right }, after) {
  const missing = new Int32Array(count);
  for (const block of right) missing[block]++;
  const order = new Int32Array(count);
  let end = 0;
  for (let block = 0; block < count; block++) if (missing[block] === 0) order[end++] = block;
  for (let at = 0; at < end; at++) {
    for (let k = after.offsets[order[at]]; k < after.offsets[order[at] + 1]; k++) {
      const next = right[after.items[k]];
      if (--missing[next] === 0) order[end++] = next;
    }
  }
  return order;
}

/**
 * @param {Segment} segment
 * @param {Int32Array} order
 * @param {Blocks} blocks
 * @param {number} mainItem an item of the block that stays at 0
 * @returns {Float64Array} middle of each item
 */
export function packBlocks(segment, order, blocks, mainItem) {
  const { count, of, shift } = blocks;
  const pairs = neighbours(segment, order, blocks);
  const after = listsBy(count, pairs.left);
  const before = listsBy(count, pairs.right);
  const sorted = leftToRight(count, pairs, after);
  const main = of[mainItem];
  const x = new Float64Array(count);
  const isRight = new Uint8Array(count);
  isRight[main] = 1;
  const leftBound = (/** @type {number} */ block) => bound(x, block, before, pairs.left, pairs.apart, 1, isRight);
  const rightBound = (/** @type {number} */ block) => bound(x, block, after, pairs.right, pairs.apart, -1, null);
  for (const block of sorted) {
    const limit = leftBound(block);
    if (block === main || limit === -Infinity) continue;
    isRight[block] = 1;
    x[block] = limit;
  }
  for (let at = count - 1; at >= 0; at--) {
    const block = sorted[at];
    const limit = rightBound(block);
    if (!isRight[block]) x[block] = limit === Infinity ? 0 : limit;
  }
  const all = new Uint8Array(count).fill(1);
  const wishes = new Wishes(segment, blocks);
  for (let round = 0; round < ROUNDS; round++) {
    for (let at = count - 1; at >= 0; at--) {
      const block = sorted[at];
      if (!isRight[block] || block === main) continue;
      x[block] = Math.max(x[block], Math.min(wishes.of(block, x), rightBound(block)));
    }
    for (const block of sorted) {
      if (isRight[block]) continue;
      const limit = bound(x, block, before, pairs.left, pairs.apart, 1, all);
      x[block] = Math.min(x[block], Math.max(wishes.of(block, x), limit));
    }
  }
  return Float64Array.from(of, (block, item) => x[block] + shift[item]);
}

/**
 * How far left (sign 1) or right (sign -1) a block may stand for its neighbours on that side.
 *
 * @param {Float64Array} x
 * @param {number} block
 * @param {import('./types.js').Lists} lists pairs on that side
 * @param {Int32Array} other
 * @param {Float64Array} apart
 * @param {1 | -1} sign
 * @param {Uint8Array | null} only which neighbours count
 */
function bound(x, block, lists, other, apart, sign, only) {
  let limit = -Infinity * sign;
  for (let k = lists.offsets[block]; k < lists.offsets[block + 1]; k++) {
    const pair = lists.items[k];
    if (only && !only[other[pair]]) continue;
    const edge = x[other[pair]] + sign * apart[pair];
    limit = sign === 1 ? Math.max(limit, edge) : Math.min(limit, edge);
  }
  return limit;
}

/** Where blocks would stand if they could: in the middle of what their lines lead to. */
class Wishes {
  /**
   * @param {Segment} segment
   * @param {Blocks} blocks
   */
  constructor(segment, { count, of, shift }) {
    const { from, to, fromX, toX } = segment;
    const own = [];
    this.other = [];
    this.shift = [];
    for (let link = 0; link < from.length; link++) {
      const [a, b] = [of[from[link]], of[to[link]]];
      if (a === b) continue;
      const between = shift[from[link]] + fromX[link] - shift[to[link]] - toX[link];
      own.push(a, b);
      this.other.push(b, a);
      this.shift.push(-between, between);
    }
    this.lists = listsBy(count, Int32Array.from(own));
  }

  /**
   * @param {number} block
   * @param {Float64Array} x
   */
  of(block, x) {
    const { offsets, items } = this.lists;
    const [first, end] = [offsets[block], offsets[block + 1]];
    let sum = 0;
    for (let k = first; k < end; k++) sum += x[this.other[items[k]]] + this.shift[items[k]];
    return first === end ? x[block] : sum / (end - first);
  }
}
