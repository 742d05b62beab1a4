/**
 * What a name scope holds, and the tensors that cross its border.
 *
 * @module
 * @typedef {import('./graph.js').Graph} Graph
 */

import { members } from './border.js';
import { hiddenConstants } from './constants.js';

/** A slot of an edge that orders operators, and carries nothing. */
const CONTROL = -1;

/**
 * A tensor that crosses the border. `readers` lie inside where it enters, outside where it leaves.
 *
 * @typedef {object} Crossing
 * @property {string} name
 * @property {string} label format and shape, empty where unknown
 * @property {number} producer -1-k for graph input k
 * @property {number[]} readers
 * @property {boolean} output whether it is an output of the graph
 */

/**
 * Constants, and what is computed of them alone, are left out, as they are by `border`.
 *
 * @param {Graph} graph
 * @param {string} path as in `Scopes.paths`
 * @returns {{count: number, types: [string, number][], enters: Crossing[], leaves: Crossing[]}} types by falling number
 */
export function contents(graph, path) {
  const inside = members(graph, path);
  const hidden = hiddenConstants(graph);
  const constant = (/** @type {number} */ op) => hidden[op] || graph.stored[op];
  const own = [...inside.keys()].filter((op) => inside[op] && !constant(op));
  /** @type {Map<string, number>} */
  const types = new Map();
  for (const op of own) types.set(graph.typeName(op), (types.get(graph.typeName(op)) ?? 0) + 1);
  const [enters, leaves] = [new Crossings(graph), new Crossings(graph)];
  graph.to.forEach((reader, edge) => {
    const maker = graph.from[edge];
    if (graph.slot[edge] === CONTROL || (maker >= 0 && constant(maker))) return;
    const made = maker >= 0 && inside[maker] === 1;
    if (made === (inside[reader] === 1)) return;
    (made ? leaves : enters).of(maker, graph.output[edge], graph.labels[graph.label[edge]]).readers.push(reader);
  });
  for (const { op, output, label } of graph.outputs) {
    if (op >= 0 && inside[op] && !constant(op)) leaves.of(op, output, label).output = true;
  }
  const sorted = [...types].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return { count: own.length, types: sorted, enters: enters.named(), leaves: leaves.named() };
}

/** The tensors found so far, in the order in which they were. */
class Crossings {
  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    /** @type {Map<string, Crossing & {index: number}>} */
    this.found = new Map();
  }

  /**
   * @param {number} producer
   * @param {number} index which of its results
   * @param {string} [label]
   */
  of(producer, index, label = '') {
    const key = `${producer}:${index}`;
    const known = this.found.get(key) ?? { name: '', label, producer, index, readers: [], output: false };
    this.found.set(key, known);
    return known;
  }

  /** @returns {Crossing[]} with their names, each reader once */
  named() {
    const { tensors } = this.graph.columns;
    tensors?.op.forEach((op, at) => {
      const known = this.found.get(`${op}:${tensors.output[at]}`);
      if (known) known.name = tensors.names[at];
    });
    return [...this.found.values()].map(({ index, ...one }) => ({
      ...one,
      name: one.name || this.fallback(one.producer, index),
      readers: [...new Set(one.readers)],
    }));
  }

  /** @param {number} producer @param {number} index */
  fallback(producer, index) {
    return producer < 0 ? this.graph.inputs[-1 - producer].name : `${this.graph.names[producer]}:${index}`;
  }
}
