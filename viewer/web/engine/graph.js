/**
 * The graph of a model in typed arrays: who reads whom, what lies between two operators, in what order.
 *
 * @module
 * @typedef {import('./types.js').Columns} Columns
 * @typedef {import('./types.js').Lists} Lists
 * @typedef {import('./types.js').Scopes} Scopes
 */

import { scopesOf } from './scopes.js';

/**
 * Edges that leave (or enter) each operator, as positions in `keys`.
 *
 * @param {number} count
 * @param {Int32Array} keys operator of each edge; negative ones are left out
 * @returns {Lists}
 */
export function listsBy(count, keys) {
  const offsets = new Int32Array(count + 1);
  for (let i = 0; i < keys.length; i++) if (keys[i] >= 0) offsets[keys[i] + 1]++;
  for (let i = 0; i < count; i++) offsets[i + 1] += offsets[i];
  const next = offsets.slice(0, count);
  const items = new Int32Array(offsets[count]);
  for (let i = 0; i < keys.length; i++) if (keys[i] >= 0) items[next[keys[i]]++] = i;
  return { offsets, items };
}

/** A graph as the server sent it, and as arrays. */
export class Graph {
  /** @param {Columns} columns */
  constructor(columns) {
    const { edges } = columns;
    this.columns = columns;
    this.count = columns.count;
    this.names = columns.names;
    this.type = Int32Array.from(columns.types.of);
    this.from = Int32Array.from(edges.from);
    this.output = Int32Array.from(edges.output);
    this.to = Int32Array.from(edges.to);
    this.slot = Int32Array.from(edges.slot);
    this.label = Int32Array.from(edges.label);
    this.labels = columns.labels;
    this.inputs = columns.inputs ?? [];
    this.outputs = columns.outputs ?? [];
    this.bodies = columns.bodies ?? {};
    this.stored = new Uint8Array(this.count);
    for (const op of columns.stored ?? []) this.stored[op] = 1;
    this.check();
    this.forward = listsBy(this.count, this.from);
    this.backward = listsBy(this.count, this.to);
    /** @type {Int32Array | null} */
    this.sorted = null;
    /** @type {Scopes | null} */
    this.tree = null;
  }

  /** Refuse columns that name operators which are not there: everything after this indexes without looking. */
  check() {
    const { count, from, to, inputs } = this;
    if (this.names.length !== count || this.type.length !== count) throw new Error('columns of unequal length');
    for (let i = 0; i < to.length; i++) {
      const bad = to[i] < 0 || to[i] >= count || from[i] >= count || from[i] < -inputs.length;
      if (bad) throw new Error(`edge ${i} from ${from[i]} to ${to[i]}: no such operator`);
    }
  }

  /** @param {number} op */
  typeName(op) {
    return this.columns.types.words[this.type[op]];
  }

  /** Name scopes, derived from the names when first asked for. */
  get scopes() {
    this.tree ??= scopesOf(this.names, this.stored);
    return this.tree;
  }

  /**
   * Operators in an order in which producers precede readers; operators in cycles follow in the order of the graph.
   */
  get order() {
    this.sorted ??= topological(this);
    return this.sorted;
  }

  /**
   * Operators that depend on any of the starts, the starts included.
   *
   * @param {Iterable<number>} starts
   */
  reach(starts) {
    return spread(this.count, starts, this.forward, this.to);
  }

  /**
   * Operators that any of the ends depends on, the ends included.
   *
   * @param {Iterable<number>} ends
   */
  coreach(ends) {
    return spread(this.count, ends, this.backward, this.from);
  }

  /**
   * Operators on a way from any start to any end, both included: 1 for each.
   *
   * @param {Iterable<number>} starts
   * @param {Iterable<number>} ends
   */
  between(starts, ends) {
    const seen = this.reach(starts);
    const needed = this.coreach(ends);
    for (let i = 0; i < seen.length; i++) seen[i] &= needed[i];
    return seen;
  }

  /**
   * Edges that carry one tensor, to the given readers or to all.
   *
   * @param {number} op its producer, -1-k for graph input k
   * @param {number} output
   * @param {Iterable<number>} [readers]
   * @returns {number[]} positions in the columns of edges
   */
  edgesOf(op, output, readers) {
    const wanted = readers && new Set(readers);
    const { offsets, items } = this.forward;
    const found = op >= 0 ? items.subarray(offsets[op], offsets[op + 1]) : this.to.keys();
    return Array.from(found).filter(
      (e) => this.from[e] === op && this.output[e] === output && (!wanted || wanted.has(this.to[e])),
    );
  }
}

/**
 * @param {number} count
 * @param {Iterable<number>} roots
 * @param {Lists} lists
 * @param {Int32Array} other the far end of each edge
 */
function spread(count, roots, lists, other) {
  const seen = new Uint8Array(count);
  const queue = new Int32Array(count);
  let end = 0;
  for (const root of roots) {
    if (seen[root]) continue;
    seen[root] = 1;
    queue[end++] = root;
  }
  for (let at = 0; at < end; at++) {
    const op = queue[at];
    for (let i = lists.offsets[op]; i < lists.offsets[op + 1]; i++) {
      const next = other[lists.items[i]];
      if (next < 0 || seen[next]) continue;
      seen[next] = 1;
      queue[end++] = next;
    }
  }
  return seen;
}

/** @param {Graph} graph */
function topological(graph) {
  const { count, from, to, forward } = graph;
  const missing = new Int32Array(count);
  for (let i = 0; i < to.length; i++) if (from[i] >= 0) missing[to[i]]++;
  const order = new Int32Array(count);
  let end = 0;
  for (let op = 0; op < count; op++) if (missing[op] === 0) order[end++] = op;
  for (let at = 0; at < end; at++) {
    const op = order[at];
    for (let i = forward.offsets[op]; i < forward.offsets[op + 1]; i++) {
      const next = to[forward.items[i]];
      if (--missing[next] === 0) order[end++] = next;
    }
  }
  for (let op = 0; op < count && end < count; op++) if (missing[op] > 0) order[end++] = op;
  return order;
}

/**
 * @param {Columns} columns as `/api/graph` sends them
 * @returns {Graph}
 */
export function readGraph(columns) {
  return new Graph(columns);
}
