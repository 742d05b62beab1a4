/**
 * Which operators only carry constants: they are drawn as lines of their readers.
 *
 * @module
 * @typedef {import('./graph.js').Graph} Graph
 */

/**
 * Stored constants, and operators that compute from constants alone (`Identity` of a weight, `DequantizeLinear`), as
 * far as somebody reads them. A constant that is an output of the graph is something to look at, and stays.
 *
 * @param {Graph} graph
 * @returns {Uint8Array} 1 for each
 */
export function hiddenConstants(graph) {
  const { count, stored, forward, backward, from, order } = graph;
  const hidden = new Uint8Array(count);
  const output = new Uint8Array(count);
  for (const { op } of graph.outputs) if (op >= 0) output[op] = 1;
  for (let at = 0; at < count; at++) {
    const op = order[at];
    if (output[op] || forward.offsets[op] === forward.offsets[op + 1]) continue;
    if (stored[op]) {
      hidden[op] = 1;
      continue;
    }
    let first = backward.offsets[op];
    const end = backward.offsets[op + 1];
    if (first === end || op in graph.bodies) continue;
    while (first < end && from[backward.items[first]] >= 0 && hidden[from[backward.items[first]]]) first++;
    if (first === end) hidden[op] = 1;
  }
  return unread(graph, hidden);
}

/**
 * A constant read only by itself, in a loop of constants, has no reader that could show it.
 *
 * @param {Graph} graph
 * @param {Uint8Array} hidden
 */
function unread({ count, order, forward, to }, hidden) {
  const shown = new Uint8Array(count);
  for (let at = count - 1; at >= 0; at--) {
    const op = order[at];
    if (!hidden[op]) continue;
    const reader = to[forward.items[forward.offsets[op]]];
    if (hidden[reader] && !shown[reader]) hidden[op] = 0;
    else shown[op] = 1;
  }
  return hidden;
}
