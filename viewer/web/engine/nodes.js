/**
 * Kinds of nodes, and the numbers and keys by which operators, scopes and bodies are named.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./graph.js').Graph} Graph
 */

/** Kinds of nodes. `open` is an unfolded scope or body, `body` an operator with at least one of its bodies open. */
export const NODE = Object.freeze({ op: 0, input: 1, output: 2, group: 3, open: 4, body: 5 });

/** Whether a kind of node has others inside. @param {number} kind */
export const isContainer = (kind) => kind >= NODE.open;

/**
 * What stands in `FoldOptions.open` for a body.
 *
 * @param {string} key as in `Columns.bodies`
 */
export const bodyScope = (key) => `\u0000${key}`;

/**
 * What stands in `FoldOptions.open` for a name scope.
 *
 * @param {string} key of the graph, "" for the main one
 * @param {string} path
 */
export const groupScope = (key, path) => (key === '' ? path : `\u0000${key}\u0000${path}`);

/**
 * Graph and path of a name scope, as `groupScope` put them together.
 *
 * @param {string} scope
 */
export function scopeParts(scope) {
  const [, key = '', path = scope] = scope.split('\u0000');
  return { key, path };
}

/**
 * The graphs of a model with the first id and the first edge of each.
 *
 * @param {Graph} graph
 * @param {Map<string, Graph>} bodies
 * @returns {View['graphs']}
 */
export function numbered(graph, bodies) {
  const graphs = [{ graph, key: '', base: 0, edgeBase: 0 }];
  let base = graph.count;
  let edgeBase = graph.to.length;
  for (const [key, body] of bodies) {
    graphs.push({ graph: body, key, base, edgeBase });
    base += body.count;
    edgeBase += body.to.length;
  }
  return graphs;
}

/**
 * Graph and position of an operator.
 *
 * @param {{graphs: View['graphs']}} view
 * @param {number} id
 */
export function locate(view, id) {
  let low = 0;
  let high = view.graphs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (view.graphs[middle].base <= id) low = middle;
    else high = middle - 1;
  }
  const { graph, key, base } = view.graphs[low];
  return { graph, key, op: id - base };
}

/**
 * The id of an operator of any graph, or -1 when its graph has not been fetched.
 *
 * @param {{graphs: View['graphs']}} view
 * @param {string} key
 * @param {number} op
 */
export function idOf(view, key, op) {
  const found = view.graphs.find((part) => part.key === key);
  return found ? found.base + op : -1;
}
