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
    self.postMessage({ number, layout: layout(input, memory) });
  } catch (error) {
    self.postMessage({ number, error: String(error instanceof Error ? error.stack : error) });
  }
});
