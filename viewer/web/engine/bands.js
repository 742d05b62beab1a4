/**
 * Which of many things on a tall page cross a horizontal band: found in time proportional to how many do.
 *
 * Things are put into bins of about their own height, bins of one height side by side, heights doubling.
 *
 * @module
 */

import { listsBy } from './graph.js';

const SMALLEST = 256;

export class Bands {
  /**
   * @param {ArrayLike<number>} tops
   * @param {ArrayLike<number>} bottoms
   * @param {ArrayLike<number>} [things] their numbers; all of them when left out
   */
  constructor(tops, bottoms, things) {
    const count = things ? things.length : tops.length;
    /** @type {{size: number, members: number[]}[]} */
    const sizes = [];
    for (let k = 0; k < count; k++) {
      const thing = things ? things[k] : k;
      let level = 0;
      for (let size = SMALLEST; size < bottoms[thing] - tops[thing]; size *= 2) level++;
      while (sizes.length <= level) sizes.push({ size: SMALLEST * 2 ** sizes.length, members: [] });
      sizes[level].members.push(thing);
    }
    this.levels = sizes.filter(({ members }) => members.length > 0).map((level) => binned(level, tops));
    this.tops = tops;
    this.bottoms = bottoms;
  }

  /**
   * @param {number} top
   * @param {number} bottom
   * @param {number[]} found what crosses the band is appended
   */
  query(top, bottom, found) {
    for (const { size, first, offsets, items } of this.levels) {
      const last = Math.min(Math.floor(bottom / size) - first, offsets.length - 2);
      for (let bin = Math.max(Math.floor(top / size) - 1 - first, 0); bin <= last; bin++) {
        for (let k = offsets[bin]; k < offsets[bin + 1]; k++) {
          const thing = items[k];
          if (this.tops[thing] <= bottom && this.bottoms[thing] >= top) found.push(thing);
        }
      }
    }
    return found;
  }
}

/**
 * @param {{size: number, members: number[]}} level
 * @param {ArrayLike<number>} tops
 */
function binned({ size, members }, tops) {
  const bins = Int32Array.from(members, (thing) => Math.floor(tops[thing] / size));
  const first = bins.reduce((least, bin) => Math.min(least, bin), Infinity);
  const last = bins.reduce((most, bin) => Math.max(most, bin), -Infinity);
  const { offsets, items } = listsBy(last - first + 1, bins.map((bin) => bin - first));
  return { size, first, offsets, items: items.map((at) => members[at]) };
}
