/**
 * One level of the layout, the inside of one container: its items in layers, lines that span one layer each.
 *
 * A line over several layers passes through bends, one in each layer between, which all readers of a tensor share. Lines
 * that would be too long, lines of tensors that very many read, and lines that go up become two tags.
 *
 * @module
 */

import { listsBy } from './graph.js';
import { rankItems } from './rank.js';

/** Kinds of items. */
export const ITEM = Object.freeze({ node: 0, port: 1, tag: 2, bend: 3 });

/** Longest line, in layers; it shrinks while bends would outnumber nodes by far. */
const LONGEST = 24;
const SHORTEST = 4;
const BENDS_PER_ITEM = 12;
/** A tensor with more readers than this is a hub: only its nearest readers get lines. */
const HUB = 24;
const HUB_SPAN = 2;

export const TAG = Object.freeze({ w: 108, h: 18 });
const BEND_WIDTH = 2;
const PORT_WIDTH = 10;

/**
 * @typedef {object} LevelInput
 * @property {number} nodes the first items are nodes, ports follow
 * @property {Float64Array} w of the nodes
 * @property {Float64Array} h
 * @property {Float64Array} reach how far to the right of their middle the nodes' labels reach
 * @property {Uint8Array} pins a `PIN` for each item
 * @property {Int32Array} from item of each edge
 * @property {Int32Array} to
 * @property {Int32Array} tensor of each edge, numbered from 0
 * @property {number} tensors
 * @property {Float64Array} fromX where the line leaves, from the item's middle
 * @property {Float64Array} toX
 */

export class Level {
  /** @param {LevelInput} input */
  constructor(input) {
    this.input = input;
    this.items = input.pins.length;
    const ports = this.items - input.nodes;
    this.kind = [...new Array(input.nodes).fill(ITEM.node), ...new Array(ports).fill(ITEM.port)];
    this.w = [...input.w, ...new Array(ports).fill(PORT_WIDTH)];
    this.h = [...input.h, ...new Array(ports).fill(0)];
    const { rank, back, ranks } = rankItems(this.items, input.from, input.to, input.pins);
    this.rank = Array.from(rank);
    this.ranks = ranks;
    /** Lines of one layer each. @type {Record<'from' | 'to' | 'fromX' | 'toX', number[]>} */
    this.links = { from: [], to: [], fromX: [], toX: [] };
    /** First bend of each edge, and how many. */
    this.bends = new Int32Array(input.from.length);
    this.bendCount = new Int32Array(input.from.length);
    /** Tags of each edge at the producer and at the reader, or -1. */
    this.leaving = new Int32Array(input.from.length).fill(-1);
    this.arriving = new Int32Array(input.from.length).fill(-1);
    this.loose = this.setLooseAside();
    const stubs = this.chooseStubs(back);
    this.addLines(stubs);
    this.addTags(stubs);
    this.closeGaps();
  }

  /** Layers that nothing stands in are no layers. */
  closeGaps() {
    const used = new Int32Array(this.ranks);
    for (const rank of this.rank) if (rank >= 0) used[rank] = 1;
    let ranks = 0;
    const moved = used.map((filled) => (filled ? ranks++ : -1));
    for (let i = 0; i < this.items; i++) if (this.rank[i] >= 0) this.rank[i] = moved[this.rank[i]];
    this.ranks = ranks;
  }

  /** Nodes without any line stand below the others, in rows: they are no part of the layers. */
  setLooseAside() {
    const { from, to, nodes } = this.input;
    const used = new Uint8Array(this.items);
    for (let e = 0; e < from.length; e++) used[from[e]] = used[to[e]] = 1;
    /** @type {number[]} */
    const loose = [];
    for (let i = 0; i < nodes; i++) if (!used[i]) loose.push(i);
    for (const i of loose) this.rank[i] = -1;
    return loose;
  }

  /** @param {Uint8Array} back */
  chooseStubs(back) {
    const { from, to, tensor } = this.input;
    const span = (/** @type {number} */ e) => this.rank[to[e]] - this.rank[from[e]];
    const readers = new Int32Array(this.input.tensors);
    for (let e = 0; e < from.length; e++) readers[tensor[e]]++;
    const stubs = back.slice();
    for (let e = 0; e < from.length; e++) if (readers[tensor[e]] > HUB && span(e) > HUB_SPAN) stubs[e] = 1;
    for (let limit = LONGEST; ; limit = Math.floor(limit * 0.7)) {
      for (let e = 0; e < from.length; e++) if (span(e) > limit) stubs[e] = 1;
      if (limit <= SHORTEST || this.countBends(stubs) <= BENDS_PER_ITEM * this.items + 500) return stubs;
    }
  }

  /** @param {Uint8Array} stubs */
  countBends(stubs) {
    const { from, to, tensor } = this.input;
    const longest = new Int32Array(this.input.tensors);
    let total = 0;
    for (let e = 0; e < from.length; e++) {
      const bends = this.rank[to[e]] - this.rank[from[e]] - 1;
      if (stubs[e] || bends <= longest[tensor[e]]) continue;
      total += bends - longest[tensor[e]];
      longest[tensor[e]] = bends;
    }
    return total;
  }

  /**
   * @param {number} kind
   * @param {number} rank
   * @param {number} w
   * @param {number} h
   */
  addItem(kind, rank, w, h) {
    this.kind.push(kind);
    this.rank.push(rank);
    this.w.push(w);
    this.h.push(h);
    return this.items++;
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} fromX
   * @param {number} toX
   */
  addLink(from, to, fromX, toX) {
    this.links.from.push(from);
    this.links.to.push(to);
    this.links.fromX.push(fromX);
    this.links.toX.push(toX);
  }

  /** @param {Uint8Array} stubs */
  addLines(stubs) {
    const { from, to, tensor, fromX, toX } = this.input;
    const { offsets, items } = listsBy(this.input.pins.length, from);
    for (let item = 0; item < this.input.pins.length; item++) {
      const edges = items.subarray(offsets[item], offsets[item + 1]);
      for (let k = 0; k < edges.length; k++) {
        const first = edges[k];
        if (stubs[first] || this.bends[first] > 0) continue;
        const same = edges.length === 1 ? edges : edges.filter((e) => !stubs[e] && tensor[e] === tensor[first]);
        this.addChain(item, same, fromX[first], to, toX);
      }
    }
  }

  /**
   * The lines of one tensor: a chain of bends down to the last reader, and from it a link to each.
   *
   * @param {number} item
   * @param {Int32Array} edges
   * @param {number} leaveX
   * @param {Int32Array} to
   * @param {Float64Array} toX
   */
  addChain(item, edges, leaveX, to, toX) {
    const top = this.rank[item] + 1;
    let bottom = top;
    for (const e of edges) bottom = Math.max(bottom, this.rank[to[e]]);
    const first = this.items;
    for (let rank = top; rank < bottom; rank++) {
      const bend = this.addItem(ITEM.bend, rank, BEND_WIDTH, 0);
      this.addLink(rank === top ? item : bend - 1, bend, rank === top ? leaveX : 0, 0);
    }
    for (const e of edges) {
      const passed = this.rank[to[e]] - top;
      this.bends[e] = first;
      this.bendCount[e] = passed;
      this.addLink(passed ? first + passed - 1 : item, to[e], passed ? 0 : leaveX, toX[e]);
    }
  }

  /** @param {Uint8Array} stubs */
  addTags(stubs) {
    const { from, to, tensor, fromX, toX } = this.input;
    const known = new Int32Array(this.input.tensors).fill(-1);
    let shift = 0;
    for (let e = 0; e < from.length; e++) {
      if (!stubs[e]) continue;
      if (known[tensor[e]] < 0) {
        known[tensor[e]] = this.addItem(ITEM.tag, this.rank[from[e]] + 1, TAG.w, TAG.h);
        this.addLink(from[e], known[tensor[e]], fromX[e], 0);
      }
      this.leaving[e] = known[tensor[e]];
      this.arriving[e] = this.addItem(ITEM.tag, this.rank[to[e]] - 1, TAG.w, TAG.h);
      this.addLink(this.arriving[e], to[e], 0, toX[e]);
      shift = Math.max(shift, 1 - this.rank[to[e]]);
      this.ranks = Math.max(this.ranks, this.rank[from[e]] + 2);
    }
    if (shift > 0) this.shiftDown(shift);
  }

  /** Room for tags above the first layer. @param {number} by layers */
  shiftDown(by) {
    this.ranks += by;
    for (let i = 0; i < this.items; i++) if (this.rank[i] >= -1 && !this.isLoose(i)) this.rank[i] += by;
  }

  /** @param {number} item */
  isLoose(item) {
    return this.rank[item] === -1 && this.kind[item] === ITEM.node;
  }

  /** Items by layer. */
  layers() {
    return listsBy(this.ranks, Int32Array.from(this.rank));
  }
}
