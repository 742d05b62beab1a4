/**
 * The lines of a view: edges of the graphs between what is drawn, alike ones drawn once.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./types.js').ViewEdges} ViewEdges
 * @typedef {import('./fold.js').Folder} Folder
 */

import { listsBy } from './graph.js';
import { NODE } from './nodes.js';

/** Gathers the lines of every drawn graph. */
class Lines {
  /** @param {Folder} folder */
  constructor(folder) {
    this.folder = folder;
    this.nodes = folder.kind.length;
    this.of = new Int32Array(folder.edges).fill(-1);
    /** Lines of groups, by their ends. @type {Map<number, number>} */
    this.groupLines = new Map();
    /** The latest line of each tensor. @type {number[]} */
    this.lastLine = [];
    /** @type {Record<'from' | 'to' | 'tensor' | 'output' | 'label' | 'many' | 'edge', number[]>} */
    this.columns = { from: [], to: [], tensor: [], output: [], label: [], many: [], edge: [] };
    /** @type {{nodes: number[], labels: number[]}} */
    this.constants = { nodes: [], labels: [] };
    /** @type {string[]} */
    this.labels = [];
    this.tensors = 0;
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {{tensor: number, output: number, label: number, edge: number}} line
   * @returns {number} its number; that of an equal line when there is one
   */
  add(from, to, { tensor, output, label, edge }) {
    const { kind } = this.folder;
    const known =
      kind[from] === NODE.group || kind[to] === NODE.group ? this.merged(from, to) : this.repeated(to, tensor);
    const { columns } = this;
    if (known >= 0) {
      columns.many[known]++;
      if (columns.tensor[known] !== tensor) columns.label[known] = -1;
      return known;
    }
    columns.from.push(from);
    columns.to.push(to);
    columns.tensor.push(tensor);
    columns.output.push(output);
    columns.label.push(label);
    columns.many.push(1);
    return columns.edge.push(edge) - 1;
  }

  /**
   * The line between two nodes of which one is a group: one stands for all.
   *
   * @param {number} from
   * @param {number} to
   */
  merged(from, to) {
    const key = from * this.nodes + to;
    const known = this.groupLines.get(key) ?? -1;
    if (known < 0) this.groupLines.set(key, this.columns.edge.length);
    return known;
  }

  /**
   * The line of a tensor to a node, when the one before led there too: edges come reader by reader.
   *
   * @param {number} to
   * @param {number} tensor
   */
  repeated(to, tensor) {
    const last = this.lastLine[tensor] ?? -1;
    if (last >= 0 && this.columns.to[last] === to) return last;
    this.lastLine[tensor] = this.columns.edge.length;
    return -1;
  }

  /** @param {View['graphs'][number]} part */
  addGraph({ graph, key, base, edgeBase }) {
    const { folder } = this;
    const hidden = /** @type {Uint8Array} */ (folder.hidden.get(key));
    const inputs = /** @type {Int32Array} */ (folder.inputNodes.get(key));
    const label0 = this.labels.length;
    for (const label of graph.labels) this.labels.push(label);
    const { bases, total } = tensorBases(graph);
    for (const e of graph.backward.items) {
      const source = graph.from[e];
      const reader = graph.to[e];
      if (hidden[reader]) continue;
      const to = folder.nodeOf[base + reader];
      const label = graph.label[e] < 0 ? -1 : label0 + graph.label[e];
      if (source >= 0 && hidden[source]) {
        if (label >= 0) {
          this.constants.nodes.push(to);
          this.constants.labels.push(label);
        }
        continue;
      }
      const from = source < 0 ? inputs[-1 - source] : folder.nodeOf[base + source];
      const tensor = this.tensors + (source < 0 ? total - 1 - source : bases[source] + graph.output[e]);
      const line = { tensor, output: graph.output[e], label, edge: edgeBase + e };
      if (from !== to) this.of[edgeBase + e] = this.add(from, to, line);
    }
    this.addOutputs({ graph, key, base, edgeBase }, bases, total, label0);
    this.tensors += total + graph.inputs.length;
  }

  /**
   * @param {View['graphs'][number]} part
   * @param {Int32Array} bases
   * @param {number} total
   * @param {number} label0
   */
  addOutputs({ graph, key, base }, bases, total, label0) {
    const { folder } = this;
    const inputs = /** @type {Int32Array} */ (folder.inputNodes.get(key));
    const nodes = /** @type {Int32Array} */ (folder.outputNodes.get(key));
    graph.outputs.forEach(({ op, output, label: text }, k) => {
      const from = op < 0 ? inputs[-1 - op] : folder.nodeOf[base + op];
      if (from === undefined || from < 0) return;
      const known = op < 0 ? undefined : graph.edgesOf(op, output)[0];
      let label = known === undefined || graph.label[known] < 0 ? -1 : label0 + graph.label[known];
      if (label < 0 && text) label = this.labels.push(text) - 1;
      const tensor = this.tensors + (op < 0 ? total - 1 - op : Math.min(bases[op] + output, bases[op + 1] - 1));
      this.add(from, nodes[k], { tensor, output, label, edge: -1 });
    });
  }

  /** @returns {ViewEdges} */
  done() {
    const { from, to, tensor, output, label, many, edge } = this.columns;
    const array = (/** @type {number[]} */ column) => Int32Array.from(column);
    return {
      count: from.length,
      from: array(from),
      to: array(to),
      tensor: array(tensor),
      tensors: this.tensors,
      output: array(output),
      label: array(label),
      many: array(many),
      edge: array(edge),
      of: this.of,
    };
  }
}

/**
 * The number of the first tensor of each operator; its results are numbered from there.
 *
 * @param {import('./graph.js').Graph} graph
 */
function tensorBases(graph) {
  const results = new Int32Array(graph.count).fill(1);
  const see = (/** @type {number} */ op, /** @type {number} */ output) => {
    if (op >= 0 && output >= results[op]) results[op] = output + 1;
  };
  for (let e = 0; e < graph.to.length; e++) see(graph.from[e], graph.output[e]);
  for (const { op, output } of graph.outputs) see(op, output);
  const bases = new Int32Array(graph.count + 1);
  for (let op = 0; op < graph.count; op++) bases[op + 1] = bases[op] + results[op];
  return { bases, total: bases[graph.count] };
}

/** @param {Folder} folder */
export function drawnEdges(folder) {
  const lines = new Lines(folder);
  for (const part of folder.graphs) if (folder.hidden.has(part.key)) lines.addGraph(part);
  const { nodes, labels } = lines.constants;
  const byNode = listsBy(lines.nodes, Int32Array.from(nodes));
  const constants = { offsets: byNode.offsets, items: byNode.items.map((at) => labels[at]) };
  return { edges: lines.done(), constants, labels: lines.labels };
}
