/** Two graphs in step: where one is moved, the other shows the same operators at the same height. */

import { NODE } from '../engine/engine.js';

/** @typedef {import('./pane.js').Pane} Pane */

/**
 * Moves the second pane after the first, which the user has moved.
 * @param {Pane} moved
 * @param {Pane} other
 */
export function keepInStep(moved, other) {
  const { scene, viewport, size } = moved.canvas;
  const there = other.canvas.scene;
  if (!scene || !there) return;
  const middle = viewport.y + size.height / viewport.zoom / 2;
  const { layout, view } = scene;
  const seen = scene.nodes.query(viewport.y, viewport.y + size.height / viewport.zoom, []);
  const near = seen
    .filter((node) => view.id[node] >= 0 && view.kind[node] === 0)
    .sort((one, two) => Math.abs(layout.y[one] - middle) - Math.abs(layout.y[two] - middle));
  for (const node of near) {
    const id = moved.placeOf(view.id[node]);
    const same = id.graph === moved.key ? other.counterpart(moved.graph, id.id) : -1;
    const twin = same < 0 ? -1 : there.nodeOf(same);
    if (twin < 0) continue;
    const { zoom } = viewport;
    const x = there.layout.x[twin] + there.layout.w[twin] / 2 - (layout.x[node] + layout.w[node] / 2 - viewport.x);
    other.canvas.setViewport({ x, y: there.layout.y[twin] - (layout.y[node] - viewport.y), zoom });
    return;
  }
}

/**
 * What is in the middle of a pane stays there when panels beside it come and go.
 * @param {Pane} pane
 * @returns {ResizeObserver}
 */
export function stayCentred({ canvas, host }) {
  let before = 0;
  const observer = new ResizeObserver(() => {
    const { x, y, zoom } = canvas.viewport;
    const width = host.clientWidth;
    if (before && width !== before && canvas.scene) canvas.setViewport({ x: x - (width - before) / 2 / zoom, y, zoom });
    before = width;
  });
  observer.observe(host);
  return observer;
}

/**
 * What stays where it is on the screen when a drawing changes: the scope or operator that has the focus, when it is in
 * sight, else the first operator that is.
 *
 * @param {import('./pane.js').Pane} pane
 * @returns {number | string | undefined}
 */
export function keptInSight({ canvas, marks: { selected = -1 }, focused }) {
  const { scene, viewport, size } = canvas;
  if (!scene) return undefined;
  const { view, layout, nodes } = scene;
  const [right, bottom] = [viewport.x + size.width / viewport.zoom, viewport.y + size.height / viewport.zoom];
  const sees = (/** @type {number} */ node) =>
    layout.x[node] < right &&
    layout.x[node] + layout.w[node] > viewport.x &&
    layout.y[node] < bottom &&
    layout.y[node] + layout.h[node] > viewport.y;
  const group = focused ? view.groups.find(({ scope }) => scope === focused) : undefined;
  if (group && sees(group.node)) return focused;
  if (selected >= 0 && scene.nodeOf(selected) >= 0 && sees(scene.nodeOf(selected))) return selected;
  const shown = nodes.query(viewport.y, bottom, []).filter((node) => view.kind[node] === NODE.op && sees(node));
  const first = shown.find((node) => layout.y[node] >= viewport.y) ?? shown[0];
  if (first !== undefined) return view.id[first];
  return selected >= 0 ? selected : undefined;
}
