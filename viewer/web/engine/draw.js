/**
 * The graph on the page: a canvas that shows what is in sight, a strip with the whole, a mirror of elements.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./types.js').Layout} Layout
 * @typedef {import('./types.js').Marks} Marks
 * @typedef {import('./types.js').Hit} Hit
 * @typedef {{x: number, y: number, zoom: number}} Viewport
 */

import { hitAt } from './hit.js';
import { listenKeys, listenPointer } from './input.js';
import { EDGE, MARK, NodeMarks } from './marks.js';
import { Minimap, WIDTH as STRIP } from './minimap.js';
import { Mirror } from './mirror.js';
import { NODE } from './nodes.js';
import { WORDS } from './frame.js';
import { paint } from './paint.js';
import { Scene } from './scene.js';
import { themeOf } from './theme.js';

export { EDGE };

const ZOOM = Object.freeze({ least: 0.02, most: 4 });
/** What is left free around the graph, in pixels of the screen. */
const MARGIN = 40;
const GLIDE = 160;

export class Canvas {
  /** @param {HTMLElement} host has a size, and is positioned */
  constructor(host) {
    this.host = host;
    this.canvas = document.createElement('canvas');
    Object.assign(this.canvas.style, { position: 'absolute', inset: '0', width: '100%', height: '100%' });
    this.canvas.setAttribute('aria-hidden', 'true');
    host.append(this.canvas);
    this.mirror = new Mirror(host);
    this.minimap = new Minimap(host, (x, y) => this.lookAt(x, y));
    /** @type {Viewport} */
    this.viewport = { x: 0, y: 0, zoom: 1 };
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Marks} */
    this.given = {};
    /** @type {NodeMarks | null} */
    this.marks = null;
    /** Node that the keys move from. */
    this.focus = -1;
    this.hover = -1;
    /** @type {import('./frame.js').Words} */
    this.words = WORDS;
    /** @type {Map<string, string>} */
    this.texts = new Map();
    /** @type {'light' | 'dark' | 'auto'} */
    this.themeName = 'auto';
    this.theme = themeOf(false);
    this.request = 0;
    this.stale = true;
    this.ended = new AbortController();
    /** @type {(id: number) => void} */
    this.onSelect = () => {};
    /** @type {(id: number, pageX: number, pageY: number) => void} */
    this.onMenu = () => {};
    /** @type {(scopes: string[]) => void} */
    this.onOpen = () => {};
    /** @type {(viewport: Viewport) => void} */
    this.onView = () => {};
    /** @type {(hit: Hit | null) => void} */
    this.onHover = () => {};
    /** @type {(event: KeyboardEvent) => boolean} */
    this.onKey = () => false;
    this.listen();
  }

  listen() {
    const { signal } = this.ended;
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(this.host);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.setTheme(this.themeName), { signal });
    listenPointer(this, signal);
    listenKeys(this, signal);
    this.setTheme('auto');
    this.resize();
  }

  /** @param {'light' | 'dark' | 'auto'} name */
  setTheme(name) {
    this.themeName = name;
    const dark = name === 'dark' || (name === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
    this.theme = themeOf(dark, getComputedStyle(this.host));
    this.stale = true;
    this.invalidate();
  }

  get view() {
    return this.scene?.view ?? null;
  }

  get layout() {
    return this.scene?.layout ?? null;
  }

  get size() {
    return { width: this.host.clientWidth, height: this.host.clientHeight };
  }

  /** What the strip leaves free. */
  get room() {
    const { width, height } = this.size;
    return { width: Math.max(width - STRIP, width / 2), height };
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.size;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.stale = true;
    this.frame();
  }

  /**
   * Shows another view. What `keep` names (an id, or the scope of a group) stays where it is on the screen; the first
   * scene is shown from its top, at zoom 1.
   *
   * @param {View} view
   * @param {Layout} layout
   * @param {{keep?: number | string}} [options]
   */
  setScene(view, layout, { keep } = {}) {
    const before = keep === undefined ? null : this.anchor(keep);
    const first = this.scene === null;
    this.scene = new Scene(view, layout);
    this.hover = -1;
    this.texts.clear();
    this.setMarks(this.given);
    if (first) this.home();
    if (typeof keep === 'string') this.focusOn(keep);
    const after = before && keep !== undefined ? this.anchor(keep) : null;
    if (before && after) this.move(this.viewport.x + after.x - before.x, this.viewport.y + after.y - before.y);
    else this.invalidate();
  }

  /** A group that was opened or closed keeps the focus of the keys. @param {string} scope */
  focusOn(scope) {
    const node = this.view?.groups.find((group) => group.scope === scope)?.node ?? -1;
    if (node < 0 || !this.marks) return;
    this.focus = node;
    this.marks.flags[node] |= MARK.selected;
  }

  /**
   * The middle of the upper border of what shows an id or a scope.
   *
   * @param {number | string} what
   */
  anchor(what) {
    if (!this.scene) return null;
    const { view, layout } = this.scene;
    const node = typeof what === 'number' ? this.scene.nodeOf(what) : view.groups.find((g) => g.scope === what)?.node ?? -1;
    return node < 0 ? null : { x: layout.x[node] + layout.w[node] / 2, y: layout.y[node] };
  }

  /** @param {Marks} marks replace all that were there */
  setMarks(marks) {
    this.given = marks;
    if (!this.scene) return;
    this.marks = new NodeMarks(this.scene, marks);
    this.focus = this.scene.nodeOf(marks.selected ?? -1);
    this.stale = true;
    this.invalidate();
  }

  /**
   * Makes a node the one that the keys move from, and tells the app when it is an operator.
   *
   * @param {number} node
   */
  select(node) {
    if (!this.scene || !this.marks) return;
    const { kind, id } = this.scene.view;
    const op = node >= 0 && (kind[node] === NODE.op || kind[node] === NODE.body);
    this.setMarks({ ...this.given, selected: op ? id[node] : -1 });
    this.focus = node;
    if (node >= 0) this.marks.flags[node] |= MARK.selected;
    this.onSelect(op ? id[node] : -1);
  }

  /** Draws before the next frame of the screen. */
  invalidate() {
    if (this.request === 0) this.request = requestAnimationFrame(() => this.frame());
  }

  /** Draws now. */
  frame() {
    cancelAnimationFrame(this.request);
    this.request = 0;
    const pen = this.canvas.getContext('2d', { alpha: false });
    if (!pen || !this.scene || !this.marks) return;
    const ratio = window.devicePixelRatio || 1;
    const { scene, marks, theme, words, hover, texts, viewport } = this;
    const sight = { ...viewport, ...this.size };
    paint(pen, { scene, marks, theme, words, hover, texts }, { ...sight, ratio });
    if (this.stale) this.minimap.redraw({ scene, marks, theme }, sight.height, ratio);
    this.stale = false;
    const { zoom } = viewport;
    this.minimap.frame({ x: sight.x, y: sight.y, w: sight.width / zoom, h: sight.height / zoom }, theme, ratio);
    this.mirror.follow(scene, marks, sight, this.focus);
  }

  /**
   * A zoom within the limits; the whole graph is always among them.
   *
   * @param {number} zoom
   */
  limited(zoom) {
    const whole = this.scene ? this.size.height / (this.scene.layout.bounds.h + 1) / 2 : ZOOM.least;
    return Math.min(Math.max(zoom, Math.min(ZOOM.least, whole)), ZOOM.most);
  }

  /** Moves without telling the app, for two pictures kept in step. @param {Viewport} viewport */
  setViewport({ x, y, zoom }) {
    this.viewport = { x, y, zoom: this.limited(zoom) };
    this.invalidate();
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} [zoom]
   */
  move(x, y, zoom = this.viewport.zoom) {
    if (!this.scene) return;
    const { bounds } = this.scene.layout;
    const { width, height } = this.size;
    const scale = this.limited(zoom);
    // Some of the graph always stays in sight.
    const margin = Math.min(width, height) / scale / 4;
    const within = (/** @type {number} */ at, /** @type {number} */ start, /** @type {number} */ size, /** @type {number} */ sight) =>
      Math.min(Math.max(at, start - sight + margin), start + size - margin);
    this.setViewport({
      x: within(x, bounds.x, bounds.w, width / scale),
      y: within(y, bounds.y, bounds.h, height / scale),
      zoom: scale,
    });
    this.onView({ ...this.viewport });
  }

  /**
   * @param {number} dx pixels of the screen
   * @param {number} dy
   */
  panBy(dx, dy) {
    const { x, y, zoom } = this.viewport;
    this.move(x + dx / zoom, y + dy / zoom);
  }

  /**
   * @param {number} factor
   * @param {number} [px] the point that stays where it is, in pixels from the corner of the canvas
   * @param {number} [py]
   */
  zoomAt(factor, px = this.room.width / 2, py = this.room.height / 2) {
    const { x, y, zoom } = this.viewport;
    const next = this.limited(zoom * factor);
    this.move(x + px / zoom - px / next, y + py / zoom - py / next, next);
  }

  /** The whole graph. */
  fit() {
    if (!this.scene) return;
    const { bounds } = this.scene.layout;
    const { width, height } = this.room;
    const zoom = Math.min((width - 2 * MARGIN) / bounds.w, (height - 2 * MARGIN) / bounds.h, 1.5);
    this.lookAt(bounds.x + bounds.w / 2, bounds.y + bounds.h / 2, zoom);
  }

  /** The top of the graph at zoom 1: a whole network is a thread that shows nothing. */
  home() {
    if (!this.scene) return;
    const { main, bounds } = this.scene.layout;
    const { width } = this.room;
    const middle = bounds.w + MARGIN <= width ? bounds.x + bounds.w / 2 : main;
    this.move(middle - width / 2, bounds.y - MARGIN, 1);
  }

  /** The bottom, at the zoom that is set. */
  end() {
    if (!this.scene) return;
    const { bounds } = this.scene.layout;
    this.move(this.viewport.x, bounds.y + bounds.h + (MARGIN - this.size.height) / this.viewport.zoom);
  }

  /**
   * @param {number} x what is to be in the middle
   * @param {number} y
   * @param {number} [zoom]
   */
  lookAt(x, y, zoom = this.viewport.zoom) {
    const { width, height } = this.room;
    this.move(x - width / 2 / zoom, y - height / 2 / zoom, zoom);
  }

  /**
   * @param {number} id
   * @param {{zoom?: number}} [options] otherwise the zoom is kept, unless nothing could be read at it
   */
  centre(id, options) {
    const node = this.scene?.nodeOf(id) ?? -1;
    if (node >= 0) this.centreNode(node, options);
  }

  /**
   * @param {number} node
   * @param {{zoom?: number}} [options]
   */
  centreNode(node, { zoom = Math.max(this.viewport.zoom, 0.6) } = {}) {
    if (!this.scene) return;
    const { x, y, w, h } = this.scene.layout;
    const height = Math.min(h[node], this.size.height / zoom / 2);
    this.glide(x[node] + w[node] / 2, y[node] + height / 2, zoom);
  }

  /**
   * Goes to a place in a short movement if it is near, at once if it is not.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} zoom
   */
  glide(x, y, zoom) {
    const { width, height } = this.room;
    const from = { x: this.viewport.x + width / 2 / this.viewport.zoom, y: this.viewport.y + height / 2 / this.viewport.zoom };
    const far = Math.hypot(x - from.x, y - from.y) * zoom > 2.5 * height || zoom !== this.viewport.zoom;
    if (far || matchMedia('(prefers-reduced-motion: reduce)').matches) return this.lookAt(x, y, zoom);
    const begun = performance.now();
    const target = (this.target = { x, y });
    const step = () => {
      if (this.target !== target || this.ended.signal.aborted) return;
      const t = Math.min((performance.now() - begun) / GLIDE, 1);
      const ease = 1 - (1 - t) ** 3;
      this.lookAt(from.x + (x - from.x) * ease, from.y + (y - from.y) * ease, zoom);
      if (t < 1) requestAnimationFrame(step);
    };
    step();
  }

  /** Ends a movement under way: the user has taken over. */
  hold() {
    this.target = undefined;
  }

  /**
   * @param {number} px pixels from the corner of the canvas
   * @param {number} py
   * @returns {Hit | null}
   */
  hit(px, py) {
    const { x, y, zoom } = this.viewport;
    return this.scene ? hitAt(this.scene, x + px / zoom, y + py / zoom, zoom) : null;
  }

  /**
   * Where the node of an operator is on the page, or null.
   *
   * @param {number} id
   */
  nodeBox(id) {
    const node = this.scene?.nodeOf(id) ?? -1;
    return node < 0 ? null : this.boxOf(node);
  }

  /** @param {number} node */
  boxOf(node) {
    const layout = /** @type {Layout} */ (this.layout);
    const host = this.host.getBoundingClientRect();
    const { x, y, zoom } = this.viewport;
    return {
      x: host.left + (layout.x[node] - x) * zoom,
      y: host.top + (layout.y[node] - y) * zoom,
      w: layout.w[node] * zoom,
      h: layout.h[node] * zoom,
    };
  }

  destroy() {
    this.ended.abort();
    this.resized?.disconnect();
    cancelAnimationFrame(this.request);
    this.mirror.destroy();
    this.minimap.canvas.remove();
    this.canvas.remove();
  }
}
