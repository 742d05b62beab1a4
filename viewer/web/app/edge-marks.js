/** Which edges of the graph the cut's inputs and outputs are, so that they can be marked where they are. */

import { EDGE } from "../engine/engine.js";

/** @typedef {import("../engine/engine.js").Graph} Graph */
/** @typedef {import("./types.js").Edge} Edge */

/**
 * @param {Graph} graph
 * @param {import("./types.js").Chosen | null} chosen
 * @returns {Uint8Array | null}  an `EDGE` for each edge of the graph
 */
export function edgeMarks(graph, chosen) {
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
