/**
 * Lines as points: from the lower border of the producer, through bends, to the upper border of the reader.
 *
 * Between two points of equal x a line is straight; between others it is drawn as a curve that leaves and arrives
 * upright, so the points are all there is to know.
 *
 * @module
 */

import { listsBy } from './graph.js';
import { ITEM } from './level.js';

/** Distance between lines that arrive side by side. */
const ARRIVE = 16;
/** Most between tensors that leave side by side: room for their labels. */
const LEAVE = 140;
const MARGIN = 10;

/**
 * @typedef {object} Placed
 * @property {import('./level.js').Level} level
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Float64Array} layerY
 * @property {Float64Array} layerH
 */

/**
 * The points of every edge of a level, x and y by turns, and the tags of those that are stubs: the item, an edge of it,
 * which side, and how many readers it stands for. A stub has four points: producer, its tag, the reader's tag, reader.
 *
 * @typedef {object} Routes
 * @property {number[][]} lines
 * @property {{item: number, edge: number, side: number, many: number}[]} tags
 */

/**
 * @param {Placed} placed
 * @param {{top: number, bottom: number}} borders of the container, which the ports are on
 * @returns {Routes}
 */
export function routeLevel(placed, borders) {
  const { level, x, y } = placed;
  const { leave, arrive } = spreadEnds(placed);
  const lines = Array.from(level.input.from, (from, e) => {
    const to = level.input.to[e];
    const top = level.kind[from] === ITEM.port ? borders.top : y[from] + level.h[from];
    const line = [x[from] + leave[e], top];
    const stub = level.leaving[e] >= 0;
    if (stub) throughTags(placed, e, line);
    else throughLayers(placed, e, line);
    line.push(x[to] + arrive[e], level.kind[to] === ITEM.port ? borders.bottom : y[to]);
    return stub ? line : simplified(line);
  });
  return { lines, tags: tagsOf(level) };
}

/**
 * @param {Placed} placed
 * @param {number} e
 * @param {number[]} line
 */
function throughLayers({ level, x, layerY, layerH }, e, line) {
  const first = level.rank[level.input.from[e]];
  line.push(line[0], layerY[first] + layerH[first]);
  for (let k = 0; k < level.bendCount[e]; k++) {
    const bend = x[level.bends[e] + k];
    const rank = first + 1 + k;
    line.push(bend, layerY[rank], bend, layerY[rank] + layerH[rank]);
  }
}

/**
 * @param {Placed} placed
 * @param {number} e
 * @param {number[]} line
 */
function throughTags({ level, x, y }, e, line) {
  const [leaving, arriving] = [level.leaving[e], level.arriving[e]];
  line.push(x[leaving], y[leaving], x[arriving], y[arriving] + level.h[arriving]);
}

/** @param {import('./level.js').Level} level */
function tagsOf(level) {
  /** @type {Routes['tags']} */
  const tags = [];
  /** @type {Map<number, Routes['tags'][number]>} */
  const known = new Map();
  for (let edge = 0; edge < level.leaving.length; edge++) {
    const item = level.leaving[edge];
    if (item < 0) continue;
    tags.push({ item: level.arriving[edge], edge, side: 1, many: 1 });
    const tag = known.get(item);
    if (tag) {
      tag.many++;
      continue;
    }
    const made = { item, edge, side: 0, many: 1 };
    known.set(item, made);
    tags.push(made);
  }
  return tags;
}

/** Points without repetitions and without those on a straight stretch. @param {number[]} line */
function simplified(line) {
  const kept = [line[0], line[1]];
  for (let k = 2; k < line.length; k += 2) {
    const end = kept.length;
    const same = Math.abs(line[k] - kept[end - 2]) < 0.01;
    if (same && Math.abs(line[k + 1] - kept[end - 1]) < 0.01) continue;
    if (same && end >= 4 && Math.abs(kept[end - 4] - kept[end - 2]) < 0.01) kept[end - 1] = line[k + 1];
    else kept.push(line[k], line[k + 1]);
  }
  return kept;
}

/**
 * Where the lines of each node leave and arrive: what comes straight keeps its place, others stand beside it in the
 * order in which they come, so that they do not cross.
 *
 * @param {Placed} placed
 */
function spreadEnds({ level, x }) {
  const { input } = level;
  const leave = input.fromX.slice();
  const arrive = input.toX.slice();
  const count = input.pins.length;
  const out = listsBy(count, input.from);
  const into = listsBy(count, input.to);
  const cameFrom = (/** @type {number} */ e) => {
    if (level.arriving[e] >= 0) return x[level.arriving[e]];
    if (level.bendCount[e] > 0) return x[level.bends[e] + level.bendCount[e] - 1];
    return x[input.from[e]] + input.fromX[e];
  };
  const goesTo = (/** @type {number} */ e) => {
    if (level.leaving[e] >= 0) return x[level.leaving[e]];
    return level.bendCount[e] > 0 ? x[level.bends[e]] : x[input.to[e]] + input.toX[e];
  };
  for (let item = 0; item < input.nodes; item++) {
    const arriving = Array.from(into.items.subarray(into.offsets[item], into.offsets[item + 1]));
    const room = level.w[item] / 2 - MARGIN;
    if (arriving.length > 1 && arriving.every((e) => arrive[e] === 0)) {
      setSideBySide(arriving.map((e) => [e]), arriving.map(cameFrom), x[item], room, ARRIVE, arrive);
    }
    const leaving = Array.from(out.items.subarray(out.offsets[item], out.offsets[item + 1]));
    if (leaving.length < 2 || leaving.some((e) => leave[e] !== 0)) continue;
    const tensors = [...new Set(leaving.map((e) => input.tensor[e]))];
    if (tensors.length < 2) continue;
    const sets = tensors.map((tensor) => leaving.filter((e) => input.tensor[e] === tensor));
    const means = sets.map((set) => set.reduce((sum, e) => sum + goesTo(e), 0) / set.length);
    setSideBySide(sets, means, x[item], room, Math.min(level.w[item] / tensors.length, LEAVE), leave);
  }
  return { leave, arrive };
}

/**
 * @param {number[][]} sets edges that end at one place
 * @param {number[]} far x of their other ends
 * @param {number} middle
 * @param {number} room to either side
 * @param {number} step
 * @param {Float64Array} offsets set for every edge
 */
function setSideBySide(sets, far, middle, room, step, offsets) {
  const order = [...sets.keys()].sort((a, b) => far[a] - far[b] || a - b);
  const straight = order.findIndex((k) => Math.abs(far[k] - middle) < 0.5);
  const centre = straight < 0 ? (order.length - 1) / 2 : straight;
  const side = Math.max(centre, order.length - 1 - centre);
  const width = Math.min(step, room / Math.max(side, 1));
  order.forEach((k, place) => {
    for (const e of sets[k]) offsets[e] = (place - centre) * width;
  });
}
