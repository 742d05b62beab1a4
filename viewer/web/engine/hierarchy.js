/**
 * Edges cut at the borders of containers: a piece for every level that an edge passes, joined by ports on the borders.
 *
 * A tensor enters or leaves a container through one port, so a piece into a port exists once.
 *
 * @module
 * @typedef {import('./types.js').LayoutInput} LayoutInput
 * @typedef {import('./types.js').Lists} Lists
 */

import { listsBy } from './graph.js';

/** Ports and pieces of a whole layout; containers are named by node, the outermost level by -1. */
export class Hierarchy {
  /** @param {LayoutInput} input */
  constructor(input) {
    this.input = input;
    this.depth = depths(input.parent);
    /** @type {{container: number[], tensor: number[], exit: number[], piece: number[]}} */
    this.ports = { container: [], tensor: [], exit: [], piece: [] };
    /** Ends of pieces: a node, or `input.count` + port for a port of the level's own container. */
    /** @type {Record<'level' | 'from' | 'to' | 'fromPort' | 'toPort' | 'tensor' | 'edge', number[]>} */
    this.pieces = { level: [], from: [], to: [], fromPort: [], toPort: [], tensor: [], edge: [] };
    /** @type {Map<number, number>} */
    this.known = new Map();
    const offsets = new Int32Array(input.from.length + 1);
    /** @type {number[]} */
    const items = [];
    for (let edge = 0; edge < input.from.length; edge++) {
      this.split(edge, items);
      offsets[edge + 1] = items.length;
    }
    /** @type {Lists} */
    this.edgePieces = { offsets, items: Int32Array.from(items) };
    this.piecesOf = this.byLevel(this.pieces.level);
    this.portsOf = this.byLevel(this.ports.container);
    this.childrenOf = this.byLevel(input.parent);
  }

  /** Things by the level they are in; level -1 comes first. @param {ArrayLike<number>} levels */
  byLevel(levels) {
    const keys = new Int32Array(levels.length);
    for (let k = 0; k < keys.length; k++) keys[k] = levels[k] + 1;
    return listsBy(this.input.count + 1, keys);
  }

  /**
   * @param {Lists} lists one of `piecesOf`, `portsOf`, `childrenOf`
   * @param {number} level
   */
  static of({ offsets, items }, level) {
    return items.subarray(offsets[level + 1], offsets[level + 2]);
  }

  /**
   * @param {number} level
   * @param {{from: number, to: number, fromPort?: number, toPort?: number, tensor: number, edge: number}} piece
   */
  addPiece(level, { from, to, fromPort = -1, toPort = -1, tensor, edge }) {
    const { pieces } = this;
    pieces.level.push(level);
    pieces.from.push(from);
    pieces.to.push(to);
    pieces.fromPort.push(fromPort);
    pieces.toPort.push(toPort);
    pieces.tensor.push(tensor);
    return pieces.edge.push(edge) - 1;
  }

  /**
   * The port of a tensor on a container; a new one has no piece yet.
   *
   * @param {number} container
   * @param {number} tensor
   * @param {0 | 1} exit
   */
  port(container, tensor, exit) {
    const key = (tensor * this.input.count + container) * 2 + exit;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const { ports } = this;
    ports.container.push(container);
    ports.tensor.push(tensor);
    ports.exit.push(exit);
    const port = ports.piece.push(-1) - 1;
    this.known.set(key, port);
    return port;
  }

  /**
   * @param {number} edge
   * @param {number[]} found its pieces
   */
  split(edge, found) {
    const { count, parent, from, to, tensor } = this.input;
    const { depth, ports } = this;
    const t = tensor[edge];
    let [a, b, fromPort] = [from[edge], to[edge], -1];
    /** Containers around the reader that the edge has to enter, innermost first. */
    const enter = [];
    while (parent[a] !== parent[b]) {
      if (depth[b] >= depth[a]) {
        b = parent[b];
        enter.push(b);
        if (depth[b] >= depth[a]) continue;
      }
      if (parent[a] === parent[b]) break;
      const container = parent[a];
      const port = this.port(container, t, 1);
      const piece = { from: a, to: count + port, fromPort, tensor: t, edge };
      if (ports.piece[port] < 0) ports.piece[port] = this.addPiece(container, piece);
      found.push(ports.piece[port]);
      [a, fromPort] = [container, port];
    }
    if (a === b) return;
    let level = parent[a];
    for (let container = enter.pop(); container !== undefined; container = enter.pop()) {
      const port = this.port(container, t, 0);
      const piece = { from: a, to: container, fromPort, toPort: port, tensor: t, edge };
      if (ports.piece[port] < 0) ports.piece[port] = this.addPiece(level, piece);
      found.push(ports.piece[port]);
      [a, fromPort, level] = [count + port, -1, container];
    }
    found.push(this.addPiece(level, { from: a, to: to[edge], fromPort, tensor: t, edge }));
  }
}

/** @param {Int32Array} parent containers come before what is in them */
function depths(parent) {
  const depth = new Int32Array(parent.length);
  for (let node = 0; node < parent.length; node++) depth[node] = parent[node] < 0 ? 0 : depth[parent[node]] + 1;
  return depth;
}
