/**
 * The order of items within their layers: few crossings, by sweeps of barycentres (Sugiyama and others, 1981).
 *
 * @module
 * @typedef {import('./segment.js').Segment} Segment
 * @typedef {import('./types.js').Lists} Lists
 */

const SWEEPS = 8;
/** Segments this large are swept less often, so that time stays in proportion to size. */
const LARGE = 4000;
const LARGE_SWEEPS = 3;

/**
 * @param {Segment} segment
 * @returns {Int32Array} place of each item in its layer
 */
export function orderLayers(segment) {
  const order = firstOrder(segment);
  const position = positions(segment, order);
  let best = position.slice();
  let fewest = crossings(segment, order, position);
  const sweeps = segment.items > LARGE ? LARGE_SWEEPS : SWEEPS;
  const weights = new Float64Array(segment.items);
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    sweepOnce(segment, order, position, weights, down);
    const found = crossings(segment, order, position);
    if (found >= fewest) continue;
    fewest = found;
    best = position.slice();
  }
  return best;
}

/**
 * Items as a depth-first walk meets them: branches come side by side, in the order of their operands.
 *
 * @param {Segment} segment
 * @returns {Int32Array} items, layer by layer
 */
function firstOrder({ items, layers, out, to }) {
  const order = new Int32Array(items);
  const end = layers.slice(0, layers.length - 1);
  const layerOf = new Int32Array(items);
  for (let layer = 0; layer < end.length; layer++) layerOf.fill(layer, layers[layer], layers[layer + 1]);
  const seen = new Uint8Array(items);
  /** @type {number[]} */
  const stack = [];
  for (let root = 0; root < items; root++) {
    if (seen[root]) continue;
    stack.push(root);
    while (stack.length > 0) {
      const item = /** @type {number} */ (stack.pop());
      if (seen[item]) continue;
      seen[item] = 1;
      order[end[layerOf[item]]++] = item;
      for (let k = out.offsets[item + 1] - 1; k >= out.offsets[item]; k--) {
        if (!seen[to[out.items[k]]]) stack.push(to[out.items[k]]);
      }
    }
  }
  return order;
}

/**
 * @param {Segment} segment
 * @param {Int32Array} order
 */
function positions({ items, layers }, order) {
  const position = new Int32Array(items);
  for (let layer = 0; layer + 1 < layers.length; layer++) {
    for (let k = layers[layer]; k < layers[layer + 1]; k++) position[order[k]] = k - layers[layer];
  }
  return position;
}

/**
 * Every layer sorted by where the neighbours in the layer before it stand; items without any keep their place.
 *
 * @param {Segment} segment
 * @param {Int32Array} order
 * @param {Int32Array} position
 * @param {Float64Array} weights scratch
 * @param {boolean} down
 */
function sweepOnce(segment, order, position, weights, down) {
  const { layers, w } = segment;
  const lists = down ? segment.into : segment.out;
  const other = down ? segment.from : segment.to;
  const shift = down ? segment.fromX : segment.toX;
  const count = layers.length - 1;
  for (let step = 1; step < count; step++) {
    const layer = down ? step : count - 1 - step;
    const inLayer = order.subarray(layers[layer], layers[layer + 1]);
    if (inLayer.length < 2) continue;
    for (const item of inLayer) {
      let sum = 0;
      const [first, end] = [lists.offsets[item], lists.offsets[item + 1]];
      for (let k = first; k < end; k++) {
        const link = lists.items[k];
        sum += position[other[link]] + shift[link] / Math.max(w[other[link]], 1);
      }
      weights[item] = first === end ? position[item] : sum / (end - first);
    }
    sortByWeight(inLayer, weights);
    for (let k = 0; k < inLayer.length; k++) position[inLayer[k]] = k;
  }
}

/**
 * Stable, and quick for the few items that a layer mostly has.
 *
 * @param {Int32Array} items
 * @param {Float64Array} weights
 */
function sortByWeight(items, weights) {
  if (items.length > 40) {
    items.sort((a, b) => weights[a] - weights[b]);
    return;
  }
  for (let i = 1; i < items.length; i++) {
    const item = items[i];
    let k = i;
    for (; k > 0 && weights[items[k - 1]] > weights[item]; k--) items[k] = items[k - 1];
    items[k] = item;
  }
}

/**
 * Crossings between all neighbouring layers, counted with a tree of sums (Barth, Jünger and Mutzel, 2002).
 *
 * @param {Segment} segment
 * @param {Int32Array} order
 * @param {Int32Array} position
 */
export function crossings({ layers, out, to, fromX, toX }, order, position) {
  let total = 0;
  /** @type {number[]} */
  let links = [];
  for (let layer = 0; layer + 2 < layers.length; layer++) {
    const width = layers[layer + 2] - layers[layer + 1];
    if (width < 2) continue;
    const tree = new Int32Array(width + 1);
    let seen = 0;
    for (let at = layers[layer]; at < layers[layer + 1]; at++) {
      const item = order[at];
      links = [];
      for (let k = out.offsets[item]; k < out.offsets[item + 1]; k++) links.push(out.items[k]);
      links.sort((a, b) => fromX[a] - fromX[b] || position[to[a]] - position[to[b]] || toX[a] - toX[b]);
      for (const link of links) {
        const place = position[to[link]];
        let notRight = 0;
        for (let k = place + 1; k > 0; k -= k & -k) notRight += tree[k];
        total += seen - notRight;
        for (let k = place + 1; k <= width; k += k & -k) tree[k]++;
        seen++;
      }
    }
  }
  return total;
}
