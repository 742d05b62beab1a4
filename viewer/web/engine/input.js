/**
 * Pointer and keys on the graph.
 *
 * Drag or wheel moves, wheel with Ctrl (or a pinch) zooms, a click selects, a double click opens a group; arrows follow
 * lines, + - 0 zoom, Home and End go to the top and the bottom, Enter opens, the menu key asks for the menu.
 *
 * @module
 * @typedef {import('./draw.js').Canvas} Canvas
 * @typedef {import('./types.js').Hit} Hit
 */

import { neighbour } from './hit.js';
import { bodyScope, NODE } from './nodes.js';

/** Pixels that a click may move. */
const STILL = 4;
const WHEEL_LINE = 32;

/**
 * @param {Canvas} canvas
 * @param {AbortSignal} signal
 */
export function listenPointer(canvas, signal) {
  const { host } = canvas;
  const at = (/** @type {MouseEvent} */ event) => {
    const box = host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  new Dragging(canvas).listen(signal);
  host.addEventListener('wheel', (event) => {
    event.preventDefault();
    canvas.hold();
    const unit = event.deltaMode === 1 ? WHEEL_LINE : 1;
    const [px, py] = at(event);
    if (event.ctrlKey || event.metaKey) canvas.zoomAt(Math.exp(-event.deltaY * unit * 0.004), px, py);
    else if (event.shiftKey && event.deltaX === 0) canvas.panBy(event.deltaY * unit, 0);
    else canvas.panBy(event.deltaX * unit, event.deltaY * unit);
  }, { signal, passive: false });
  host.addEventListener('dblclick', (event) => {
    const [px, py] = at(event);
    const hit = canvas.hit(px, py);
    if (hit && !hit.toggle) open(canvas, hit.node);
  }, { signal });
  host.addEventListener('contextmenu', (event) => {
    event.preventDefault();
    const [px, py] = at(event);
    const hit = canvas.hit(px, py);
    if (hit && hit.kind !== 'edge') canvas.select(hit.node);
    canvas.onMenu(hit?.kind === 'op' ? hit.id : -1, event.pageX, event.pageY);
  }, { signal });
}

/** One finger or the mouse moves the picture, two fingers zoom it; a pointer that hardly moved has clicked. */
class Dragging {
  /** @param {Canvas} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    this.moved = 0;
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const { host } = this.canvas;
    // Else the browser takes a finger for its own scrolling, and the second one for zooming the page.
    host.style.touchAction = 'none';
    host.addEventListener('pointerdown', (event) => this.down(event), { signal });
    host.addEventListener('pointermove', (event) => this.move(event), { signal });
    host.addEventListener('pointerup', (event) => this.up(event), { signal });
    host.addEventListener('pointercancel', (event) => this.pointers.delete(event.pointerId), { signal });
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0) return;
    this.canvas.hold();
    this.canvas.mirror.tree.focus({ preventScroll: true });
    if (this.pointers.size === 0) this.moved = 0;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.canvas.host.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return this.hoverAt(event);
    const [dx, dy] = [event.clientX - last.x, event.clientY - last.y];
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.moved += Math.hypot(dx, dy);
    if (this.moved <= STILL) return;
    if (others.length > 0) this.pinch(others[0], last, event);
    else this.canvas.panBy(-dx, -dy);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  /**
   * @param {{x: number, y: number}} other
   * @param {{x: number, y: number}} last
   * @param {PointerEvent} event
   */
  pinch(other, last, event) {
    const { dx, dy, x, y, factor } = pinched(other, last, { x: event.clientX, y: event.clientY });
    const box = this.canvas.host.getBoundingClientRect();
    this.canvas.panBy(-dx, -dy);
    this.canvas.zoomAt(factor, x - box.left, y - box.top);
  }

  /** @param {PointerEvent} event */
  up(event) {
    if (!this.pointers.delete(event.pointerId) || this.moved > STILL) return;
    const hit = this.hitAt(event);
    if (hit?.toggle) open(this.canvas, hit.node);
    else if (hit?.kind === 'edge') this.canvas.centreNode(hit.to ?? hit.node);
    else this.canvas.select(hit ? hit.node : -1);
  }

  /** @param {PointerEvent} event */
  hitAt(event) {
    const box = this.canvas.host.getBoundingClientRect();
    return this.canvas.hit(event.clientX - box.left, event.clientY - box.top);
  }

  /** @param {PointerEvent} event */
  hoverAt(event) {
    const { canvas } = this;
    const hit = this.hitAt(event);
    const edge = hit?.kind === 'edge' ? hit.id : -1;
    canvas.host.style.cursor = hit ? 'pointer' : 'grab';
    canvas.onHover(hit);
    if (edge === canvas.hover) return;
    canvas.hover = edge;
    canvas.invalidate();
  }
}

/**
 * What one of two fingers does to the picture: it goes along with their middle, and grows as they part.
 *
 * @param {{x: number, y: number}} other the finger that rests
 * @param {{x: number, y: number}} last
 * @param {{x: number, y: number}} now
 * @returns {{dx: number, dy: number, x: number, y: number, factor: number}} the way of the middle, and where it is now
 */
export function pinched(other, last, now) {
  const before = Math.hypot(last.x - other.x, last.y - other.y);
  const after = Math.hypot(now.x - other.x, now.y - other.y);
  return {
    dx: (now.x - last.x) / 2,
    dy: (now.y - last.y) / 2,
    x: (now.x + other.x) / 2,
    y: (now.y + other.y) / 2,
    factor: before > 0 && after > 0 ? after / before : 1,
  };
}

/**
 * Asks for a group, or the bodies of an operator, to be opened or closed.
 *
 * @param {Canvas} canvas
 * @param {number} node
 */
function open(canvas, node) {
  const { scene } = canvas;
  if (!scene) return;
  const kind = scene.view.kind[node];
  if (kind === NODE.group || kind === NODE.open) canvas.onOpen([scene.view.groups[scene.view.id[node]].scope]);
  else canvas.onOpen(scene.bodies(node).map(({ key }) => bodyScope(key)));
}

/** @type {Record<string, 'up' | 'down' | 'left' | 'right'>} */
const ARROWS = { ArrowUp: 'up', ArrowDown: 'down', ArrowLeft: 'left', ArrowRight: 'right' };

/**
 * @param {Canvas} canvas
 * @param {AbortSignal} signal
 */
export function listenKeys(canvas, signal) {
  canvas.mirror.tree.addEventListener('keydown', (event) => {
    if (canvas.onKey(event) || event.altKey || event.ctrlKey || event.metaKey) return;
    if (press(canvas, event.key, event.shiftKey)) event.preventDefault();
  }, { signal });
}

/**
 * @param {Canvas} canvas
 * @param {string} key
 * @param {boolean} shift
 * @returns {boolean} whether the key means something here
 */
function press(canvas, key, shift) {
  /** @type {Record<string, () => void>} */
  const keys = {
    '+': () => canvas.zoomAt(1.25),
    '=': () => canvas.zoomAt(1.25),
    '-': () => canvas.zoomAt(0.8),
    0: () => canvas.fit(),
    Home: () => canvas.home(),
    End: () => canvas.end(),
    PageUp: () => canvas.panBy(0, -0.8 * canvas.size.height),
    PageDown: () => canvas.panBy(0, 0.8 * canvas.size.height),
    Enter: () => canvas.focus >= 0 && open(canvas, canvas.focus),
    Escape: () => canvas.select(-1),
    ContextMenu: () => menu(canvas),
  };
  if (key === 'F10' && shift) menu(canvas);
  else if (key in ARROWS) step(canvas, ARROWS[key]);
  else if (Object.hasOwn(keys, key)) keys[key]();
  else return false;
  return true;
}

/**
 * @param {Canvas} canvas
 * @param {'up' | 'down' | 'left' | 'right'} direction
 */
function step(canvas, direction) {
  const { scene } = canvas;
  if (!scene || scene.view.count === 0) return;
  const next = canvas.focus < 0 ? firstInSight(canvas) : neighbour(scene, canvas.focus, direction);
  if (next < 0) return;
  canvas.select(next);
  canvas.centreNode(next);
}

/** @param {Canvas} canvas */
function firstInSight({ scene, viewport, size }) {
  if (!scene) return -1;
  const { y } = scene.layout;
  const seen = scene.nodes.query(viewport.y, viewport.y + size.height / viewport.zoom, []);
  return seen.reduce((best, node) => (best < 0 || y[node] < y[best] ? node : best), -1);
}

/** The menu of the focused node, at its lower border. @param {Canvas} canvas */
function menu(canvas) {
  const { focus, scene } = canvas;
  if (focus < 0 || !scene) return;
  const box = canvas.boxOf(focus);
  const kind = scene.view.kind[focus];
  const id = kind === NODE.op || kind === NODE.body ? scene.view.id[focus] : -1;
  canvas.onMenu(id, window.scrollX + box.x + box.w / 2, window.scrollY + Math.min(box.y + box.h, box.y + 40));
}
