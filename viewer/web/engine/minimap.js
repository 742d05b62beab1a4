/**
 * The whole graph in a strip: where the picture is, where marks are; a click or a drag goes there.
 *
 * Width and height have scales of their own, for a network drawn to one scale is a thread.
 *
 * @module
 * @typedef {import('./scene.js').Scene} Scene
 * @typedef {import('./marks.js').NodeMarks} NodeMarks
 * @typedef {import('./theme.js').Theme} Theme
 */

import { MARK } from './marks.js';
import { blockColour } from './paint_nodes.js';

/** Pixels of the page that the strip covers. */
export const WIDTH = 92;
const MARGIN = 6;
/** Widest a node may appear, so that a chain is no wall. */
const WIDEST_SCALE = 0.12;

export class Minimap {
  /**
   * @param {HTMLElement} host
   * @param {(x: number, y: number) => void} go to a place in the graph
   */
  constructor(host, go) {
    this.canvas = document.createElement('canvas');
    this.canvas.className = 'minimap';
    this.canvas.setAttribute('aria-hidden', 'true');
    Object.assign(this.canvas.style, { position: 'absolute', right: '0', top: '0', width: `${WIDTH}px`, height: '100%' });
    this.canvas.style.cursor = 'pointer';
    host.append(this.canvas);
    this.picture = document.createElement('canvas');
    this.go = go;
    /** @type {{x: number, y: number, w: number, h: number}} */
    this.bounds = { x: 0, y: 0, w: 1, h: 1 };
    this.height = 1;
    this.scale = { x: 1, y: 1 };
    this.listen();
  }

  listen() {
    const { canvas } = this;
    const goThere = (/** @type {PointerEvent} */ event) => {
      const box = canvas.getBoundingClientRect();
      const { bounds, scale } = this;
      const x = bounds.x + bounds.w / 2 + (event.clientX - box.left - WIDTH / 2) / scale.x;
      this.go(x, bounds.y + (event.clientY - box.top - MARGIN) / scale.y);
    };
    canvas.addEventListener('pointerdown', (event) => {
      event.stopPropagation();
      canvas.setPointerCapture(event.pointerId);
      goThere(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      event.stopPropagation();
      if (event.buttons & 1) goThere(event);
    });
    for (const type of ['click', 'dblclick', 'contextmenu']) {
      canvas.addEventListener(type, (event) => event.stopPropagation());
    }
  }

  /**
   * Draws the strip anew: the graph, its marks or the size of the page have changed.
   *
   * @param {{scene: Scene, marks: NodeMarks, theme: Theme}} what
   * @param {number} height
   * @param {number} ratio
   */
  redraw({ scene, marks, theme }, height, ratio) {
    const { layout } = scene;
    this.bounds = layout.bounds;
    this.height = height;
    this.scale.x = Math.min((WIDTH - 2 * MARGIN) / Math.max(layout.bounds.w, 1), WIDEST_SCALE);
    this.scale.y = Math.min((height - 2 * MARGIN) / Math.max(layout.bounds.h, 1), WIDEST_SCALE);
    for (const canvas of [this.canvas, this.picture]) {
      canvas.width = Math.round(WIDTH * ratio);
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    const pen = this.picture.getContext('2d');
    if (!pen) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = theme.background;
    pen.fillRect(0, 0, WIDTH, height);
    pen.fillStyle = theme.border;
    pen.fillRect(0, 0, 1, height);
    const rows = new Uint8Array(Math.ceil(height * 2 + 4) * WIDTH);
    for (let node = 0; node < scene.view.count; node++) {
      if (scene.view.kind[node] >= 4) continue;
      const { x, y } = this.toStrip(layout.x[node], layout.y[node]);
      const cell = Math.floor(y * 2) * WIDTH + Math.floor(x);
      const flags = marks.flags[node] & ~MARK.dumped;
      const rank = flags & ~MARK.between ? 3 : flags ? 2 : 1;
      if (rows[cell] >= rank) continue;
      rows[cell] = rank;
      pen.fillStyle = blockColour({ scene, marks, theme }, node);
      pen.fillRect(x, y, Math.max(layout.w[node] * this.scale.x, 2), Math.max(layout.h[node] * this.scale.y, 0.7));
      if (flags & ~MARK.between) this.tick(pen, theme, flags, y);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Theme} theme
   * @param {number} flags
   * @param {number} y
   */
  tick(pen, theme, flags, y) {
    const found = flags & (MARK.found | MARK.hit);
    pen.fillStyle = found ? theme.green : theme.blue;
    pen.fillRect(found ? 2 : WIDTH - 7, y - 1, 5, 3);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  toStrip(x, y) {
    const { bounds, scale } = this;
    return { x: WIDTH / 2 + (x - bounds.x - bounds.w / 2) * scale.x, y: MARGIN + (y - bounds.y) * scale.y };
  }

  /**
   * @param {{x: number, y: number, w: number, h: number}} sight in the graph
   * @param {Theme} theme
   * @param {number} ratio
   */
  frame(sight, theme, ratio) {
    const pen = this.canvas.getContext('2d');
    if (!pen) return;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.picture, 0, 0);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const start = this.toStrip(sight.x, sight.y);
    const left = Math.max(start.x, 2);
    const right = Math.min(start.x + sight.w * this.scale.x, WIDTH - 2);
    const top = Math.max(start.y, 1);
    const bottom = Math.min(start.y + sight.h * this.scale.y, this.height - 1);
    pen.fillStyle = theme.dark ? 'rgba(255,255,255,.08)' : 'rgba(20,40,80,.08)';
    pen.strokeStyle = theme.faint;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(left, top, Math.max(right - left, 6), Math.max(bottom - top, 4), 2);
    pen.fill();
    pen.stroke();
  }
}
