/**
 * The layout in a thread of its own: the page stays alive, and what was laid out is remembered from call to call.
 *
 * @module
 */

import { layout } from './layout.js';
import { Memory } from './memory.js';

const memory = new Memory();

self.addEventListener('message', (event) => {
  const { number, input } = event.data;
  try {
    const made = layout(input, memory);
    self.postMessage({ number, layout: made }, { transfer: buffersOf(made) });
  } catch (error) {
    self.postMessage({ number, error: String(error instanceof Error ? error.stack : error) });
  }
});

/**
 * The arrays of a layout go to the page as they are: copies would stay here until somebody collects them.
 *
 * @param {import('./types.js').Layout} made
 * @returns {ArrayBuffer[]}
 */
function buffersOf(made) {
  /** @type {Set<ArrayBuffer>} */
  const found = new Set();
  for (const part of [made, made.pieces, made.edgePieces, made.tags]) {
    for (const value of Object.values(part)) if (ArrayBuffer.isView(value)) found.add(/** @type {ArrayBuffer} */ (value.buffer));
  }
  return [...found];
}
