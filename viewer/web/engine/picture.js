/**
 * The graph as a picture to keep: SVG or PNG, of all of it or of what is in sight.
 *
 * @module
 * @typedef {import('./draw.js').Canvas} Canvas
 * @typedef {import('./frame.js').Pen} Pen
 */

import { paint } from './paint.js';
import { SvgPen } from './svg.js';

const MARGIN = 30;
/** Largest picture that browsers make: pixels to a side, and in all. */
const SIDE = 16000;
const AREA = 120e6;

/** @typedef {{whole?: boolean, title?: string}} Options `whole`: all of the graph, not what is in sight */

/**
 * What the picture shows, in the graph and in pixels.
 *
 * @param {Canvas} canvas
 * @param {boolean} whole
 */
function sightOf({ layout, viewport, size }, whole) {
  if (!whole || !layout) return { ...viewport, ...size, ratio: 1 };
  const { x, y, w, h } = layout.bounds;
  return { x: x - MARGIN, y: y - MARGIN, zoom: 1, width: w + 2 * MARGIN, height: h + 2 * MARGIN, ratio: 1 };
}

/**
 * @param {Canvas} canvas
 * @param {Pen} pen
 * @param {Parameters<typeof paint>[2]} sight
 */
function draw({ scene, marks, theme, words }, pen, sight) {
  if (!scene || !marks) throw new Error('there is no graph to draw');
  paint(pen, { scene, marks, theme, words, hover: -1, texts: new Map() }, sight);
}

/**
 * @param {Canvas} canvas
 * @param {Options} [options]
 * @returns {string}
 */
export function toSvg(canvas, { whole = true, title = 'graph' } = {}) {
  const sight = sightOf(canvas, whole);
  const pen = new SvgPen(sight.width, sight.height);
  draw(canvas, /** @type {Pen} */ (/** @type {unknown} */ (pen)), sight);
  return pen.done(title);
}

/**
 * @param {Canvas} canvas
 * @param {Options & {scale?: number}} [options] `scale`: pixels for each of the page, made less where a picture would
 *   be larger than browsers can make
 * @returns {Promise<Blob>}
 */
export async function toPng(canvas, { whole = true, scale = 2 } = {}) {
  const sight = sightOf(canvas, whole);
  const { width, height } = sight;
  const factor = Math.min(scale, SIDE / width, SIDE / height, Math.sqrt(AREA / (width * height)));
  const image = document.createElement('canvas');
  image.width = Math.max(1, Math.floor(width * factor));
  image.height = Math.max(1, Math.floor(height * factor));
  const pen = image.getContext('2d', { alpha: false });
  if (!pen) throw new Error('the browser has no memory for a picture of this size');
  const size = { width: width * factor, height: height * factor };
  // Shrunk, it is drawn as the page draws it at that zoom: without what could not be read.
  if (factor < 1) draw(canvas, pen, { ...sight, ...size, zoom: sight.zoom * factor });
  else draw(canvas, pen, { ...sight, ratio: factor });
  return new Promise((resolve, reject) => {
    image.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the browser made no picture'))), 'image/png');
  });
}
