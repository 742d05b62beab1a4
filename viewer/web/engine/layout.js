/**
 * The layout of a view: containers from the inside out, then places in the whole picture.
 *
 * Runs without a page, in time that grows with the size of the graph, and never calls itself: depth is no limit.
 *
 * @module
 * @typedef {import('./types.js').Layout} Layout
 * @typedef {import('./types.js').LayoutInput} LayoutInput
 * @typedef {import('./types.js').View} View
 * @typedef {import('./solve.js').Solved} Solved
 */

import { Hierarchy } from './hierarchy.js';
import { Memory } from './memory.js';
import { isContainer } from './nodes.js';
import { PIN } from './rank.js';
import { joinRoutes } from './routes.js';
import { solveLevel } from './solve.js';

/** Between the borders of a container and what is in it. */
const SIDE = 18;
const ABOVE = 12;
const BELOW = 10;

/**
 * @param {View} view
 * @returns {LayoutInput}
 */
export function layoutInput({ count, parent, kind, w, h, reach, edges }) {
  const container = kind.map((k) => (isContainer(k) ? 1 : 0));
  return { count, parent, container, w, h, reach, from: edges.from, to: edges.to, tensor: edges.tensor };
}

/**
 * A container with what is in it: nodes, then ports.
 *
 * @typedef {object} Filled
 * @property {Solved} solved
 * @property {Int32Array} children
 * @property {Int32Array} pieces
 */

/** Lays out every level of a hierarchy. */
class Solver {
  /**
   * @param {LayoutInput} input
   * @param {Memory} memory
   */
  constructor(input, memory) {
    this.input = input;
    this.memory = memory;
    this.hierarchy = new Hierarchy(input);
    this.w = input.w.slice();
    this.h = input.h.slice();
    const { container, exit } = this.hierarchy.ports;
    /** x of each port from the middle of its container. */
    this.portX = new Float64Array(container.length);
    this.exit = exit;
    /** Item of each node and port in its level. */
    this.local = new Int32Array(input.count + container.length);
    this.tensorOf = new Int32Array(input.tensor.reduce((most, tensor) => Math.max(most, tensor), -1) + 1).fill(-1);
    /** @type {Map<number, Filled>} */
    this.filled = new Map();
  }

  run() {
    for (let node = this.input.count - 1; node >= 0; node--) if (this.input.container[node]) this.solve(node);
    return this.solve(-1);
  }

  /** @param {number} container or -1 for the outermost level */
  solve(container) {
    const { hierarchy, input } = this;
    const children = Hierarchy.of(hierarchy.childrenOf, container);
    const ports = container < 0 ? new Int32Array(0) : Hierarchy.of(hierarchy.portsOf, container);
    const pieces = Hierarchy.of(hierarchy.piecesOf, container);
    const title = container < 0 ? 0 : input.h[container];
    const borders = { above: title + ABOVE, below: BELOW };
    const solved = solveLevel(this.levelInput(children, ports, pieces), borders, this.memory);
    this.filled.set(container, { solved, children, pieces });
    if (container < 0) return solved;
    this.w[container] = Math.max(input.w[container], solved.width + 2 * SIDE);
    this.h[container] = title + solved.height + ABOVE + BELOW;
    for (let k = 0; k < ports.length; k++) this.portX[ports[k]] = solved.x[children.length + k];
    return solved;
  }

  /**
   * @param {Int32Array} children
   * @param {Int32Array} ports
   * @param {Int32Array} pieces
   */
  levelInput(children, ports, pieces) {
    const { input, local, portX } = this;
    const all = this.hierarchy.pieces;
    const nodes = children.length;
    const pins = new Uint8Array(nodes + ports.length);
    for (let k = 0; k < nodes; k++) local[children[k]] = k;
    for (let k = 0; k < ports.length; k++) {
      local[input.count + ports[k]] = nodes + k;
      pins[nodes + k] = this.exit[ports[k]] ? PIN.last : PIN.first;
    }
    const { tensor, tensors } = this.numberTensors(pieces);
    const floats = (/** @type {number} */ count) => new Float64Array(count);
    const ends = { from: new Int32Array(pieces.length), to: new Int32Array(pieces.length) };
    const made = { w: floats(nodes), h: floats(nodes), reach: floats(nodes), fromX: floats(pieces.length), toX: floats(pieces.length) };
    for (let k = 0; k < nodes; k++) {
      const node = children[k];
      made.w[k] = this.w[node];
      made.h[k] = this.h[node];
      made.reach[k] = input.container[node] ? this.w[node] / 2 : input.reach[node];
    }
    for (let k = 0; k < pieces.length; k++) {
      const piece = pieces[k];
      ends.from[k] = local[all.from[piece]];
      ends.to[k] = local[all.to[piece]];
      if (all.fromPort[piece] >= 0) made.fromX[k] = portX[all.fromPort[piece]];
      if (all.toPort[piece] >= 0) made.toX[k] = portX[all.toPort[piece]];
    }
    return { nodes, pins, tensor, tensors, ...ends, ...made };
  }

  /** Tensors by the order in which a level's pieces name them. @param {Int32Array} pieces */
  numberTensors(pieces) {
    const of = this.hierarchy.pieces.tensor;
    let tensors = 0;
    const tensor = new Int32Array(pieces.length);
    for (let k = 0; k < pieces.length; k++) {
      const number = of[pieces[k]];
      if (this.tensorOf[number] < 0) this.tensorOf[number] = tensors++;
      tensor[k] = this.tensorOf[number];
    }
    for (const piece of pieces) this.tensorOf[of[piece]] = -1;
    return { tensor, tensors };
  }
}

/**
 * @param {LayoutInput} input
 * @param {Memory} [memory] of earlier layouts, which makes this one quicker
 * @returns {Layout}
 */
export function layout(input, memory = new Memory()) {
  const solver = new Solver(input, memory);
  const outer = solver.run();
  const { count, container } = input;
  const x = new Float64Array(count);
  const y = new Float64Array(count);
  const layer = new Int32Array(count);
  /** Middle and top of the inside of each level. @type {Map<number, {x: number, y: number}>} */
  const origins = new Map([[-1, { x: 0, y: 0 }]]);
  const put = (/** @type {number} */ level) => {
    const { solved, children } = /** @type {Filled} */ (solver.filled.get(level));
    const origin = /** @type {{x: number, y: number}} */ (origins.get(level));
    for (let i = 0; i < children.length; i++) {
      const node = children[i];
      x[node] = origin.x + solved.x[i] - solver.w[node] / 2;
      y[node] = origin.y + solved.y[i];
      layer[node] = solved.level.rank[i];
      if (container[node]) origins.set(node, { x: origin.x + solved.x[i], y: y[node] + input.h[node] + ABOVE });
    }
  };
  put(-1);
  for (let node = 0; node < count; node++) if (container[node]) put(node);
  const routes = joinRoutes(solver.hierarchy, solver.filled, origins);
  const bounds = { x: -outer.width / 2, y: 0, w: outer.width, h: outer.height };
  return { x, y, w: solver.w, h: solver.h, layer, ...routes, edgePieces: solver.hierarchy.edgePieces, bounds, main: outer.main };
}
