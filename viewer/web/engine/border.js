/**
 * Where data enters a name scope, and where it leaves.
 *
 * @module
 * @typedef {import('./graph.js').Graph} Graph
 */

import { hiddenConstants } from './constants.js';

/** A slot of an edge that orders operators, and carries nothing. */
const CONTROL = -1;

/**
 * Operators of a scope (and of those in it) that read what is made outside, and operators whose results are read
 * outside or are outputs of the graph. What is computed of constants alone counts as no data. A scope that nothing
 * enters is entered at what reads nothing of it; one that nothing leaves is left at what nobody in it reads.
 *
 * @param {Graph} graph
 * @param {string} path as in `Scopes.paths`
 * @returns {{entries: number[], exits: number[]}} both empty where the scope holds constants alone
 */
export function border(graph, path) {
  const inside = members(graph, path);
  const { from, to, slot } = graph;
  const [fed, read] = [new Uint8Array(graph.count), new Uint8Array(graph.count)];
  const [enters, leaves] = [new Uint8Array(graph.count), new Uint8Array(graph.count)];
  const hidden = hiddenConstants(graph);
  const constant = (/** @type {number} */ op) => hidden[op] || graph.stored[op];
  for (let edge = 0; edge < to.length; edge++) {
    const [maker, reader] = [from[edge], to[edge]];
    if (slot[edge] === CONTROL || (maker >= 0 && constant(maker))) continue;
    const made = maker >= 0 && inside[maker];
    if (inside[reader]) (made ? fed : enters)[reader] = 1;
    if (made) (inside[reader] ? read : leaves)[maker] = 1;
  }
  for (const { op } of graph.outputs) if (op >= 0) leaves[op] = 1;
  const own = [...inside.keys()].filter((op) => inside[op] && !constant(op));
  const those = (/** @type {Uint8Array} */ marked, /** @type {Uint8Array} */ inner) => {
    const found = own.filter((op) => marked[op]);
    return found.length > 0 ? found : own.filter((op) => !inner[op]);
  };
  return { entries: those(enters, fed), exits: those(leaves, read) };
}

/**
 * @param {Graph} graph
 * @param {string} path
 * @returns {Uint8Array} 1 for each operator of the scope
 */
export function members({ scopes: { paths, parent, of }, count }, path) {
  const within = new Uint8Array(paths.length);
  const scope = paths.indexOf(path);
  if (scope > 0) within[scope] = 1;
  // A scope stands after the one around it.
  for (let inner = 1; inner < paths.length; inner++) within[inner] |= within[parent[inner]];
  const found = new Uint8Array(count);
  for (let op = 0; op < count; op++) found[op] = within[of[op]];
  return found;
}
