/**
 * What tests see of the picture: only there when the page was opened with `?test=1`.
 *
 * @module
 * @typedef {import('./draw.js').Canvas} Canvas
 */

/**
 * Milliseconds from frame to frame while something is done before each.
 *
 * @param {number} count
 * @param {(frame: number) => void} act
 * @returns {Promise<number[]>}
 */
async function frames(count, act) {
  const next = () => new Promise((/** @type {(time: number) => void} */ resolve) => requestAnimationFrame(resolve));
  /** @type {number[]} */
  const times = [];
  let last = await next();
  for (let frame = 0; frame < count; frame++) {
    act(frame);
    const now = await next();
    times.push(now - last);
    last = now;
  }
  return times;
}

/**
 * A canvas of the same size that is only filled: the least that a frame can cost here.
 *
 * @param {Canvas} canvas
 * @param {number} count
 */
async function blankTimes({ canvas }, count) {
  const blank = document.createElement('canvas');
  blank.width = canvas.width;
  blank.height = canvas.height;
  Object.assign(blank.style, { position: 'fixed', inset: '0', zIndex: '99', pointerEvents: 'none' });
  document.body.append(blank);
  const pen = blank.getContext('2d', { alpha: false });
  const times = await frames(count, (frame) => {
    if (!pen) return;
    pen.fillStyle = frame % 2 ? '#ffffff' : '#fefefe';
    pen.fillRect(0, 0, blank.width, blank.height);
  });
  blank.remove();
  return times;
}

/**
 * @param {Canvas} canvas
 * @param {Window} [target]
 */
export function installTesting(canvas, target = window) {
  if (new URLSearchParams(target.location.search).get('test') !== '1') return;
  const hooks = {
    nodeBox: (/** @type {number} */ id) => canvas.nodeBox(id),
    idOf: (/** @type {string} */ name) => {
      for (const { graph, base } of canvas.view?.graphs ?? []) {
        const op = graph.names.indexOf(name);
        if (op >= 0) return base + op;
      }
      return -1;
    },
    frameTimes: (/** @type {number} */ count) => frames(count, () => canvas.panBy(0, 23)),
    blankTimes: (/** @type {number} */ count) => blankTimes(canvas, count),
    state: () => ({
      viewport: { ...canvas.viewport },
      nodes: canvas.view?.count ?? 0,
      selected: canvas.given.selected ?? -1,
      hit: canvas.given.hit ?? -1,
      starts: canvas.given.starts ?? [],
      ends: canvas.given.ends ?? [],
      between: canvas.given.between ? canvas.given.between.reduce((sum, one) => sum + one, 0) : 0,
      bounds: canvas.layout?.bounds ?? null,
    }),
  };
  Object.assign(target, { __subcut: Object.freeze(hooks) });
}
