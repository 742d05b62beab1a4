/** Two graphs in step: where one is moved, the other shows the same operators at the same height. */

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
