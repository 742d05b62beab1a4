/**
 * A view and its layout with what drawing needs to find quickly: what is in sight, what is written where.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./types.js').Layout} Layout
 * @typedef {import('./graph.js').Graph} Graph
 */

import { Bands } from './bands.js';
import { listsBy } from './graph.js';
import { kindOf, KINDS } from './kinds.js';
import { isContainer, NODE } from './nodes.js';
import { CONSTANT_LINES, located, nodeText } from './sizes.js';

const REMEMBERED_TEXTS = 20000;

/** @typedef {{title: string, name: string, constants: string[]}} Written */

export class Scene {
  /**
   * @param {View} view
   * @param {Layout} layout
   */
  constructor(view, layout) {
    this.view = view;
    this.layout = layout;
    const bottoms = layout.y.map((y, node) => y + layout.h[node]);
    const all = Array.from(view.kind.keys());
    this.nodes = new Bands(layout.y, bottoms, all.filter((node) => !isContainer(view.kind[node])));
    this.boxes = new Bands(layout.y, bottoms, all.filter((node) => isContainer(view.kind[node])));
    const { tops, ends } = pieceSpans(layout);
    this.pieces = new Bands(tops, ends);
    this.tags = new Bands(layout.tags.y, layout.tags.y.map((y, tag) => y + layout.tags.h[tag]));
    this.kinds = kindsOf(view);
    this.depth = new Uint8Array(view.count);
    for (let node = 0; node < view.count; node++) {
      if (view.parent[node] >= 0) this.depth[node] = this.depth[view.parent[node]] + 1;
    }
    this.labelled = labelledPieces(view, layout);
    this.leaving = listsBy(view.count, view.edges.from);
    this.arriving = listsBy(view.count, view.edges.to);
    /** @type {Map<number, Written>} */
    this.texts = new Map();
  }

  /**
   * @param {number} node
   * @returns {Written}
   */
  text(node) {
    const known = this.texts.get(node);
    if (known) return known;
    if (this.texts.size > REMEMBERED_TEXTS) this.texts.clear();
    const { constants, labels } = this.view;
    const [first, end] = [constants.offsets[node], constants.offsets[node + 1]];
    const shown = Math.min(end, first + CONSTANT_LINES);
    const lines = Array.from(constants.items.subarray(first, shown), (label) => labels[label]);
    if (end > shown) lines.push(`+ ${end - shown}`);
    const written = { ...nodeText(this.view, node), constants: lines };
    this.texts.set(node, written);
    return written;
  }

  /** The node that shows an operator, or -1. @param {number} id */
  nodeOf(id) {
    return id >= 0 && id < this.view.ids ? this.view.nodeOf[id] : -1;
  }

  /** Whether an operator has bodies, and which. @param {number} node */
  bodies(node) {
    const kind = this.view.kind[node];
    if (kind !== NODE.op && kind !== NODE.body) return [];
    const { graph, op } = located(this.view, node);
    return graph.bodies[op] ?? [];
  }
}

/** @param {View} view */
function kindsOf(view) {
  const data = KINDS.indexOf('data');
  const kinds = new Uint8Array(view.count).fill(data);
  for (let node = 0; node < view.count; node++) {
    if (view.kind[node] !== NODE.op && view.kind[node] !== NODE.body) continue;
    const { graph, op } = located(view, node);
    kinds[node] = kindOf(graph.typeName(op));
  }
  return kinds;
}

/** @param {Layout} layout */
function pieceSpans({ pieces }) {
  const tops = new Float64Array(pieces.count);
  const ends = new Float64Array(pieces.count);
  for (let piece = 0; piece < pieces.count; piece++) {
    let [top, end] = [Infinity, -Infinity];
    for (let k = pieces.offsets[piece]; k < pieces.offsets[piece + 1]; k++) {
      // A stub is drawn at its ends alone; its tags are found by themselves.
      const y = pieces.points[2 * k + 1];
      top = Math.min(top, y);
      end = Math.max(end, y);
    }
    tops[piece] = top;
    ends[piece] = end;
  }
  return { tops, ends };
}

/**
 * The piece beside which the label of its tensor stands: the first that leaves the operator. 1 for each.
 *
 * @param {View} view
 * @param {Layout} layout
 */
function labelledPieces({ edges }, { pieces, edgePieces }) {
  const labelled = new Uint8Array(pieces.count);
  const seen = new Uint8Array(edges.tensors);
  for (let edge = 0; edge < edges.count; edge++) {
    const [first, end] = [edgePieces.offsets[edge], edgePieces.offsets[edge + 1]];
    if (first === end || seen[edges.tensor[edge]]) continue;
    seen[edges.tensor[edge]] = 1;
    labelled[edgePieces.items[first]] = 1;
  }
  return labelled;
}
