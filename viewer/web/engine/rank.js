/**
 * Layers: every line goes down at least one layer, cycles are broken first.
 *
 * Longest path from the top; then what has more readers than operands, and what hangs on side inputs alone, is pulled
 * down towards its readers (after Gansner and others, A Technique for Drawing Directed Graphs, 1993, without its simplex).
 *
 * @module
 * @typedef {import('./types.js').Lists} Lists
 */

import { listsBy } from './graph.js';

/** Where an item has to stand. */
export const PIN = Object.freeze({ none: 0, first: 1, last: 2 });

/**
 * @param {number} count items
 * @param {Int32Array} from of each edge
 * @param {Int32Array} to
 * @param {Uint8Array} pins a `PIN` for each item
 * @returns {{rank: Int32Array, back: Uint8Array, ranks: number}} layer of each item, and which edges go up
 */
export function rankItems(count, from, to, pins) {
  const out = listsBy(count, from);
  const into = listsBy(count, to);
  let back = new Uint8Array(from.length);
  let order = sorted(count, to, out, back);
  if (order.length < count) {
    back = backEdges(count, to, out, into);
    order = sorted(count, to, out, back);
  }
  const rank = longest(count, to, out, back, order, pins);
  pullDown(rank, to, out, into, back, order, pins, fedItems(rank, to, out, back, order));
  let last = 0;
  for (let i = 0; i < count; i++) if (pins[i] !== PIN.last) last = Math.max(last, rank[i]);
  let ranks = last + 1;
  for (let i = 0; i < count; i++) {
    if (pins[i] !== PIN.last) continue;
    rank[i] = last + 1;
    ranks = last + 2;
  }
  return { rank, back, ranks };
}

/**
 * Items in an order in which lines lead forwards; items in cycles are left out.
 *
 * @param {number} count
 * @param {Int32Array} to
 * @param {Lists} out
 * @param {Uint8Array} back
 */
function sorted(count, to, out, back) {
  const missing = new Int32Array(count);
  for (let e = 0; e < to.length; e++) if (!back[e]) missing[to[e]]++;
  const order = new Int32Array(count);
  let end = 0;
  for (let i = 0; i < count; i++) if (missing[i] === 0) order[end++] = i;
  for (let at = 0; at < end; at++) {
    for (let k = out.offsets[order[at]]; k < out.offsets[order[at] + 1]; k++) {
      const e = out.items[k];
      if (!back[e] && --missing[to[e]] === 0) order[end++] = to[e];
    }
  }
  return order.subarray(0, end);
}

/**
 * The edges that lead back to an item on the way: a depth-first walk with a stack of its own, from items that nothing
 * leads to, then from the others in order.
 *
 * @param {number} count
 * @param {Int32Array} to
 * @param {Lists} out
 * @param {Lists} into
 */
function backEdges(count, to, out, into) {
  const back = new Uint8Array(to.length);
  const state = new Uint8Array(count);
  const next = out.offsets.slice(0, count);
  const stack = new Int32Array(count);
  const walk = (/** @type {number} */ root) => {
    let top = 0;
    stack[0] = root;
    state[root] = 1;
    while (top >= 0) {
      const item = stack[top];
      if (next[item] === out.offsets[item + 1]) {
        state[item] = 2;
        top--;
        continue;
      }
      const e = out.items[next[item]++];
      const other = to[e];
      if (state[other] === 1) back[e] = 1;
      else if (state[other] === 0) {
        state[other] = 1;
        stack[++top] = other;
      }
    }
  };
  for (let i = 0; i < count; i++) if (into.offsets[i] === into.offsets[i + 1]) walk(i);
  for (let i = 0; i < count; i++) if (state[i] === 0) walk(i);
  return back;
}

/**
 * @param {number} count
 * @param {Int32Array} to
 * @param {Lists} out
 * @param {Uint8Array} back
 * @param {Int32Array} order
 * @param {Uint8Array} pins
 */
function longest(count, to, out, back, order, pins) {
  const rank = new Int32Array(count);
  if (pins.includes(PIN.first)) for (let i = 0; i < count; i++) rank[i] = pins[i] === PIN.first ? 0 : 1;
  for (const item of order) {
    for (let k = out.offsets[item]; k < out.offsets[item + 1]; k++) {
      const e = out.items[k];
      if (!back[e]) rank[to[e]] = Math.max(rank[to[e]], rank[item] + 1);
    }
  }
  return rank;
}

/**
 * Items that hang on the start of a longest path. Others hang on side inputs, such as a mask or positions.
 *
 * @param {Int32Array} rank
 * @param {Int32Array} to
 * @param {Lists} out
 * @param {Uint8Array} back
 * @param {Int32Array} order
 */
function fedItems(rank, to, out, back, order) {
  const last = rank.reduce((most, value) => Math.max(most, value), 0);
  const latest = new Int32Array(rank.length).fill(last);
  for (let at = order.length - 1; at >= 0; at--) {
    const item = order[at];
    for (let k = out.offsets[item]; k < out.offsets[item + 1]; k++) {
      const e = out.items[k];
      if (!back[e]) latest[item] = Math.min(latest[item], latest[to[e]] - 1);
    }
  }
  const fed = latest.map((value, item) => (value === rank[item] ? 1 : 0));
  for (const item of order) {
    for (let k = out.offsets[item]; fed[item] && k < out.offsets[item + 1]; k++) {
      if (!back[out.items[k]]) fed[to[out.items[k]]] = 1;
    }
  }
  return fed;
}

/**
 * @param {Int32Array} rank
 * @param {Int32Array} to
 * @param {Lists} out
 * @param {Lists} into
 * @param {Uint8Array} back
 * @param {Int32Array} order
 * @param {Uint8Array} pins
 * @param {Int32Array} fed
 */
function pullDown(rank, to, out, into, back, order, pins, fed) {
  for (let at = order.length - 1; at >= 0; at--) {
    const item = order[at];
    const leaving = out.offsets[item + 1] - out.offsets[item];
    const entering = into.offsets[item + 1] - into.offsets[item];
    if (pins[item] !== PIN.none || leaving < entering + fed[item]) continue;
    let lowest = Infinity;
    for (let k = out.offsets[item]; k < out.offsets[item + 1]; k++) {
      const e = out.items[k];
      if (!back[e] && pins[to[e]] !== PIN.last) lowest = Math.min(lowest, rank[to[e]] - 1);
    }
    if (lowest !== Infinity) rank[item] = Math.max(rank[item], lowest);
  }
}
