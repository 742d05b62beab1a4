/** What of a graph the cut is: its operators, and the edges that are its inputs and outputs. */

import { EDGE } from '../engine/engine.js';
import { blue } from './choice.js';

/** @typedef {import('../engine/engine.js').Graph} Graph */
/** @typedef {import('./types.js').Edge} Edge */

/**
 * What was pointed at is blue at once; what is typed keeps its last meaning until the next is known.
 * @param {import('./pane.js').Pane} pane
 * @param {import('./choice.js').Choice} choice
 * @returns {import('../engine/types.js').Marks}
 */
export function choiceMarks({ graph, key, ids }, choice) {
  const known = choice.state === 'ok' || (choice.state === 'asking' && choice.leads === 'text');
  const chosen = known ? choice.chosen : null;
  if ((chosen?.graph ?? choice.graph) !== key) return { between: null, starts: [], ends: [], edges: null };
  const between = chosen ? marked(ids, chosen.ops) : widened(blue(graph, choice), ids);
  const edges = choice.state === 'ok' ? edgeMarks(graph, choice.chosen) : null;
  return { between, starts: choice.starts, ends: choice.ends, edges };
}

/** @param {number} count @param {number[]} ids */
export function marked(count, ids) {
  const marks = new Uint8Array(count);
  for (const id of ids) marks[id] = 1;
  return marks;
}

/** Bodies that are open have numbers after those of the graph. @param {Uint8Array | null} marks @param {number} count */
function widened(marks, count) {
  if (!marks || marks.length >= count) return marks;
  const wide = new Uint8Array(count);
  wide.set(marks);
  return wide;
}

/**
 * @param {Graph} graph
 * @param {import('./types.js').Chosen | null} chosen
 * @returns {Uint8Array | null}  an `EDGE` for each edge of the graph
 */
function edgeMarks(graph, chosen) {
  if (!chosen) return null;
  const marks = new Uint8Array(graph.to.length);
  const inside = new Set(chosen.ops);
  for (const edge of chosen.outputs) {
    for (const at of edgesOf(graph, edge)) if (!inside.has(graph.to[at])) marks[at] = EDGE.output;
  }
  for (const edge of chosen.inputs) {
    for (const at of edgesOf(graph, edge)) if (inside.has(graph.to[at])) marks[at] = edge.side ? EDGE.side : EDGE.input;
  }
  return marks;
}

/** @param {Graph} graph @param {Edge} edge */
function edgesOf(graph, edge) {
  const producer = edge.producer ?? -1;
  if (producer >= 0) return graph.edgesOf(producer, edge.output ?? 0);
  const input = graph.inputs.findIndex(({ name }) => name === edge.tensor);
  return input >= 0 ? graph.edgesOf(-1 - input, 0) : [];
}
