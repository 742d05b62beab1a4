/**
 * Marks by operator, turned into marks by node and by line of a view.
 *
 * @module
 * @typedef {import('./types.js').Marks} Marks
 * @typedef {import('./scene.js').Scene} Scene
 */

import { NODE } from './nodes.js';

/** What an edge of a graph is to the cut: values of `Marks.edges`. */
export const EDGE = Object.freeze({ none: 0, input: 1, side: 2, output: 3 });

/** Bits of a node's marks. */
export const MARK = Object.freeze({ between: 1, start: 2, end: 4, found: 8, selected: 16, hit: 32, dumped: 64 });

/** @typedef {{x: number, y: number, w: number, h: number, stored: boolean, name: string}} Outline */

/** The marks of one scene. */
export class NodeMarks {
  /**
   * @param {Scene} scene
   * @param {Marks} marks
   */
  constructor(scene, marks) {
    const { view } = scene;
    this.scene = scene;
    this.marks = marks;
    this.flags = new Uint8Array(view.count);
    this.setAll(MARK.between, marks.between);
    this.setAll(MARK.found, marks.hits);
    this.setAll(MARK.dumped, marks.dumped);
    for (const id of marks.starts ?? []) this.set(MARK.start, id);
    for (const id of marks.ends ?? []) this.set(MARK.end, id);
    this.set(MARK.selected, marks.selected ?? -1);
    this.set(MARK.hit, marks.hit ?? -1);
    this.coloured = Boolean(marks.colours);
    this.colour = marks.colours ? coloursOf(view, marks.colours) : new Float32Array(0);
    this.edges = edgesOf(view, marks.edges ?? null);
    this.outlines = (marks.fused ?? []).flatMap((fused) => outlinesOf(scene, fused));
  }

  /**
   * @param {number} bit
   * @param {number} id
   */
  set(bit, id) {
    const node = this.scene.nodeOf(id);
    if (node >= 0) this.flags[node] |= bit;
  }

  /**
   * Marks operators and the groups they are folded into; a constant does not mark its reader.
   *
   * @param {number} bit
   * @param {Uint8Array | null | undefined} chosen
   */
  setAll(bit, chosen) {
    if (!chosen) return;
    const { nodeOf, inside, kind, ids } = this.scene.view;
    for (let id = 0; id < Math.min(ids, chosen.length); id++) {
      const node = nodeOf[id];
      if (chosen[id] && node >= 0 && (!inside[id] || kind[node] === NODE.group)) this.flags[node] |= bit;
    }
  }

  /** Whether a line lies within the range. @param {number} edge of the view */
  isBetween(edge) {
    const { from, to } = this.scene.view.edges;
    return (this.flags[from[edge]] & this.flags[to[edge]] & MARK.between) !== 0;
  }
}

/**
 * The value of each node; a group has the greatest of what is in it.
 *
 * @param {import('./types.js').View} view
 * @param {Float32Array} colours
 */
function coloursOf({ count, ids, nodeOf, inside, kind }, colours) {
  const found = new Float32Array(count).fill(NaN);
  for (let id = 0; id < Math.min(ids, colours.length); id++) {
    const node = nodeOf[id];
    if (node < 0 || Number.isNaN(colours[id]) || (inside[id] && kind[node] !== NODE.group)) continue;
    if (!(found[node] >= colours[id])) found[node] = colours[id];
  }
  return found;
}

/**
 * @param {import('./types.js').View} view
 * @param {Uint8Array | null} marked
 */
function edgesOf({ edges }, marked) {
  const found = new Uint8Array(edges.count);
  if (!marked) return found;
  for (let edge = 0; edge < Math.min(marked.length, edges.of.length); edge++) {
    if (marked[edge] && edges.of[edge] >= 0) found[edges.of[edge]] = Math.max(found[edges.of[edge]], marked[edge]);
  }
  return found;
}

const AROUND = 7;

/**
 * One outline around the operators of a fused group, or one around each where others stand between them.
 *
 * @param {Scene} scene
 * @param {import('./types.js').Fused} fused
 * @returns {Outline[]}
 */
function outlinesOf({ view, layout, nodes }, { name, ops, stored = false }) {
  const shown = [...new Set(ops.map((op) => (view.inside[op] ? -1 : view.nodeOf[op])))].filter((node) => node >= 0);
  if (shown.length === 0) return [];
  const around = (/** @type {number[]} */ group) => {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const node of group) {
      left = Math.min(left, layout.x[node] - AROUND);
      top = Math.min(top, layout.y[node] - AROUND);
      right = Math.max(right, layout.x[node] + layout.w[node] + AROUND);
      bottom = Math.max(bottom, layout.y[node] + layout.h[node] + AROUND);
    }
    return { x: left, y: top, w: right - left, h: bottom - top, stored, name };
  };
  const whole = around(shown);
  const members = new Set(shown);
  const others = nodes.query(whole.y, whole.y + whole.h, []).filter((node) => {
    const apart = layout.x[node] > whole.x + whole.w || layout.x[node] + layout.w[node] < whole.x;
    return !members.has(node) && !apart;
  });
  const sameBox = shown.every((node) => view.parent[node] === view.parent[shown[0]]);
  return others.length === 0 && sameBox ? [whole] : shown.map((node) => around([node]));
}
