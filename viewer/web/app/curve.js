/** The accumulated error by depth, drawn beside the graph: down is later, right is worse. */

import { fill, svg } from './dom.js';
import { place } from './scale.js';

const WIDTH = 96;

/**
 * The worst place of each strip of the picture: a hundred thousand operators are no more points than it has pixels.
 * @param {number[]} places  0 to 1 by depth, NaN where nothing is known
 * @param {number} strips
 * @returns {{at: number, place: number}[]}  at: position in `places` of the worst
 */
export function worstPerStrip(places, strips) {
  /** @type {{at: number, place: number}[]} */
  const worst = [];
  const count = Math.min(strips, places.length);
  for (let strip = 0; strip < count; strip++) {
    const first = Math.floor((strip * places.length) / count);
    const last = Math.floor(((strip + 1) * places.length) / count);
    let best = -1;
    for (let at = first; at < last; at++) {
      if (!Number.isNaN(places[at]) && (best < 0 || places[at] > places[best])) best = at;
    }
    if (best >= 0) worst.push({ at: best, place: places[best] });
  }
  return worst;
}

/**
 * @param {Element} element  an svg element
 * @param {object} data
 * @param {number[]} data.ops  in order of depth
 * @param {(number | null)[]} data.errors  of each
 * @param {import('./scale.js').Scale} data.scale
 * @param {number} data.threshold
 * @param {number} data.selected  operator, or -1
 * @param {string} data.label
 */
export function drawCurve(element, { ops, errors, scale, threshold, selected, label }) {
  const height = Math.max(element.clientHeight, 40);
  const places = errors.map((error) => place(scale, error));
  const worst = worstPerStrip(places, Math.floor(height / 2));
  const y = (/** @type {number} */ at) => 6 + ((height - 12) * at) / Math.max(ops.length - 1, 1);
  const x = (/** @type {number} */ share) => 6 + share * (WIDTH - 12);
  const limit = place(scale, threshold);
  const line = worst
    .map(({ at, place: share }, n) => `${n ? 'L' : 'M'}${x(share).toFixed(1)} ${y(at).toFixed(1)}`)
    .join('');
  const chosen = ops.indexOf(selected);
  element.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  element.setAttribute('aria-label', label);
  fill(
    element,
    svg('line', { class: 'curve-limit', x1: x(limit), x2: x(limit), y1: 0, y2: height }),
    chosen >= 0 && svg('line', { class: 'curve-here', x1: 0, x2: WIDTH, y1: y(chosen), y2: y(chosen) }),
    svg('path', { class: 'curve-line', d: line }),
    ...worst
      .filter((one) => one.place > limit)
      .map((one) => svg('circle', { class: 'curve-bad', cx: x(one.place), cy: y(one.at), r: 2 })),
  );
}
