/**
 * Open groups and bodies: boxes behind what is in them.
 *
 * @module
 * @typedef {import('./frame.js').Frame} Frame
 */

import { fitted, inSight, paintToggle } from './frame.js';
import { MARK } from './marks.js';
import { NODE } from './nodes.js';
import { METRICS } from './sizes.js';

const RADIUS = 10;
/** Boxes that would be lower than this on the screen, in pixels, are left out. */
const LOWEST = 4;

/**
 * @param {Frame} frame
 * @returns {number[]} the boxes in sight, outer ones first
 */
export function paintBoxes(frame) {
  const { pen, scene, theme, marks, zoom } = frame;
  const { layout, depth } = scene;
  const seen = inSight(frame, scene.boxes.query(frame.top, frame.bottom, []));
  const boxes = seen.filter((box) => layout.h[box] * zoom >= LOWEST);
  boxes.sort((a, b) => depth[a] - depth[b] || a - b);
  for (const box of boxes) {
    const [x, y] = [layout.x[box] - frame.left, layout.y[box] - frame.top];
    const chosen = (marks.flags[box] & (MARK.between | MARK.selected)) !== 0;
    pen.fillStyle = boxColour(frame, box);
    pen.strokeStyle = chosen ? theme.blue : theme.boxBorder;
    pen.lineWidth = Math.max(1, 0.7 / zoom);
    clippedRect(frame, x, y, layout.w[box], layout.h[box]);
    pen.fill();
    pen.stroke();
  }
  return boxes;
}

/**
 * The titles of boxes stand above the lines.
 *
 * @param {Frame} frame
 * @param {number[]} boxes
 */
export function paintTitles(frame, boxes) {
  const { layout, view } = frame.scene;
  for (const box of boxes) {
    const y = layout.y[box] - frame.top;
    if (y + METRICS.title > 0) paintTitle(frame, box, layout.x[box] - frame.left, y, view.kind[box] === NODE.body);
  }
}

/**
 * Boxes within boxes are light and dark by turns.
 *
 * @param {Frame} frame
 * @param {number} box
 */
function boxColour({ scene, theme }, box) {
  return scene.depth[box] % 2 === 0 ? theme.box : theme.boxDeep;
}

/**
 * A box may be millions of pixels tall, more than a canvas can address: what lies far outside is left out.
 *
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @param {number} w
 * @param {number} h
 */
function clippedRect({ pen, zoom, top, bottom }, x, y, w, h) {
  const margin = 40 / zoom;
  const start = Math.max(y, -margin);
  const end = Math.min(y + h, bottom - top + margin);
  pen.beginPath();
  pen.roundRect(x, start, w, Math.max(end - start, 1), RADIUS);
}

/**
 * @param {Frame} frame
 * @param {number} box
 * @param {number} x
 * @param {number} y
 * @param {boolean} operator whether it is an operator, whose bodies are in the box
 */
function paintTitle(frame, box, x, y, operator) {
  const { pen, scene, theme } = frame;
  const width = scene.layout.w[box];
  const written = scene.text(box);
  if (operator) {
    pen.fillStyle = theme.kinds[scene.kinds[box]];
    pen.beginPath();
    pen.roundRect(x, y, width, METRICS.title, [RADIUS, RADIUS, 0, 0]);
    pen.fill();
  }
  pen.font = `600 12px ${theme.font}`;
  pen.fillStyle = operator ? theme.header : theme.faint;
  pen.textAlign = 'left';
  pen.textBaseline = 'middle';
  const text = written.name ? `${written.title}  ${written.name}` : written.title;
  paintToggle(frame, x + 14, y + METRICS.title / 2, false, pen.fillStyle);
  const shown = fitted(frame, text, width - 40);
  if (!operator) {
    pen.strokeStyle = boxColour(frame, box);
    pen.lineWidth = 5;
    pen.strokeText(shown, x + 26, y + METRICS.title / 2 + 0.5);
  }
  pen.fillText(shown, x + 26, y + METRICS.title / 2 + 0.5);
}
