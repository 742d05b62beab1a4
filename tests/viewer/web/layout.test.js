/** Where things are put: properties that hold for every graph, and times. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NODE, readGraph, visible } from '../../../viewer/web/engine/engine.js';
import { layout, layoutInput } from '../../../viewer/web/engine/layout.js';
import { Memory } from '../../../viewer/web/engine/memory.js';
import { Builder, chain, FAMILIES, random } from './graphs.js';

/** @typedef {import('../../../viewer/web/engine/types.js').Columns} Columns */

const SEEDS = Array.from({ length: 120 }, (_, seed) => seed);

/**
 * @param {Columns} columns
 * @param {{every?: number, memory?: Memory, constants?: boolean}} [options] which scopes are open: every how many-th
 */
function laidOut(columns, { every = 1, memory, constants = false } = {}) {
  const graph = readGraph(columns);
  const open = new Set(graph.scopes.paths.filter((_, k) => every > 0 && k % every === 0));
  const view = visible(graph, { open, constants });
  return { graph, view, places: layout(layoutInput(view), memory) };
}

/** Views of many random graphs, with all, half and none of their scopes open. */
function* samples() {
  for (const seed of SEEDS) {
    const columns = random(seed, { size: 20 + seed, cycles: seed % 5 === 0 });
    yield { seed, ...laidOut(columns, { every: seed % 3, constants: seed % 2 === 0 }) };
  }
}

/** @typedef {ReturnType<typeof laidOut>} Sample */

/** @param {Sample} sample */
function noneOverlap({ view, places }, name = '') {
  /** @type {Map<number, number[]>} */
  const byParent = new Map();
  for (let node = 0; node < view.count; node++) {
    byParent.set(view.parent[node], [...(byParent.get(view.parent[node]) ?? []), node]);
  }
  for (const nodes of byParent.values()) {
    nodes.sort((a, b) => places.y[a] - places.y[b]);
    nodes.forEach((a, at) => {
      for (let k = at + 1; k < nodes.length && places.y[nodes[k]] < places.y[a] + places.h[a]; k++) {
        const b = nodes[k];
        const apart = places.x[a] + places.w[a] <= places.x[b] || places.x[b] + places.w[b] <= places.x[a];
        assert.ok(apart, `${name}: nodes ${a} and ${b} overlap`);
      }
    });
  }
}

test('every node has a place, none overlaps its neighbours', () => {
  for (const sample of samples()) {
    for (let node = 0; node < sample.view.count; node++) {
      assert.ok(Number.isFinite(sample.places.x[node]) && Number.isFinite(sample.places.y[node]));
    }
    noneOverlap(sample, `seed ${sample.seed}`);
  }
});

test('boxes hold what is in them', () => {
  for (const { seed, view, places } of samples()) {
    const { x, y, w, h } = places;
    for (let node = 0; node < view.count; node++) {
      const box = view.parent[node];
      if (box < 0) continue;
      const within = x[node] >= x[box] && y[node] > y[box] && x[node] + w[node] <= x[box] + w[box] && y[node] + h[node] <= y[box] + h[box];
      assert.ok(within, `seed ${seed}: node ${node} sticks out of ${box}`);
    }
  }
});

test('lines go down, from the border of the producer to the border of the reader', () => {
  for (const { seed, view, places } of samples()) {
    const { pieces, edgePieces } = places;
    for (let edge = 0; edge < view.edges.count; edge++) {
      const parts = edgePieces.items.subarray(edgePieces.offsets[edge], edgePieces.offsets[edge + 1]);
      assert.ok(parts.length > 0, `seed ${seed}: edge ${edge} is not drawn`);
      const [from, to] = [view.edges.from[edge], view.edges.to[edge]];
      const start = pieces.offsets[parts[0]];
      const end = pieces.offsets[parts[parts.length - 1] + 1] - 1;
      assert.ok(Math.abs(pieces.points[2 * start + 1] - places.y[from] - places.h[from]) < 0.01);
      assert.ok(Math.abs(pieces.points[2 * end + 1] - places.y[to]) < 0.01);
      assert.ok(pieces.points[2 * end] >= places.x[to] && pieces.points[2 * end] <= places.x[to] + places.w[to]);
      parts.forEach((piece, at) => {
        const last = pieces.offsets[piece + 1] - 1;
        for (let k = pieces.offsets[piece] + 1; k <= last && !pieces.stub[piece]; k++) {
          assert.ok(pieces.points[2 * k + 1] >= pieces.points[2 * k - 1] - 0.01, `seed ${seed}: edge ${edge} goes up`);
        }
        if (at === 0) return;
        const before = pieces.offsets[parts[at - 1] + 1] - 1;
        const first = pieces.offsets[piece];
        assert.ok(Math.abs(pieces.points[2 * before] - pieces.points[2 * first]) < 0.01, `seed ${seed}: edge ${edge} is torn`);
        assert.ok(Math.abs(pieces.points[2 * before + 1] - pieces.points[2 * first + 1]) < 0.01);
      });
    }
  }
});

test('tags overlap no node', () => {
  for (const { seed, view, places } of samples()) {
    const { tags, x, y, w, h } = places;
    for (let tag = 0; tag < tags.count; tag++) {
      for (let node = 0; node < view.count; node++) {
        if (view.kind[node] >= NODE.open) continue;
        const apart =
          tags.x[tag] + tags.w[tag] <= x[node] || tags.x[tag] >= x[node] + w[node] ||
          tags.y[tag] + tags.h[tag] <= y[node] || tags.y[tag] >= y[node] + h[node];
        assert.ok(apart, `seed ${seed}: tag ${tag} over node ${node}`);
      }
    }
  }
});

test('equal graphs are laid out alike, with and without memory of others', () => {
  const memory = new Memory();
  for (const seed of SEEDS.slice(0, 40)) {
    const columns = random(seed);
    const fresh = laidOut(columns).places;
    assert.deepEqual(laidOut(columns).places, fresh);
    assert.deepEqual(laidOut(columns, { memory }).places, fresh);
    assert.deepEqual(laidOut(columns, { memory }).places, fresh);
  }
});

test('blocks that repeat look the same', () => {
  const { graph, view, places } = laidOut(FAMILIES.resnet(400));
  const offsets = [5, 6].map((block) => {
    const nodes = graph.names.flatMap((name, op) => (name.includes(`/block${block}/`) ? [view.nodeOf[op]] : []));
    return nodes.map((node) => [places.x[node] - places.x[nodes[0]], places.y[node] - places.y[nodes[0]]].map(Math.round));
  });
  assert.deepEqual(offsets[0], offsets[1]);
});

test('the trunk of a network with skips runs straight down', () => {
  const { graph, view, places } = laidOut(FAMILIES.resnet(2000), { every: 0 });
  const middles = graph.names.flatMap((_, op) => {
    const node = view.nodeOf[op];
    return view.parent[node] < 0 ? [Math.round(places.x[node] + places.w[node] / 2)] : [];
  });
  assert.equal(new Set(middles).size, 1);
});

test('a long line becomes two tags that name each other; a short one stays a line', () => {
  const b = new Builder();
  const first = b.op('Conv', 'first', [b.input('x')]);
  let at = first;
  for (let i = 0; i < 100; i++) at = b.op('Relu', `r${i}`, [at]);
  b.op('Add', 'last', [at, first]);
  const { places } = laidOut(b.columns());
  assert.equal(places.tags.count, 2);
  assert.deepEqual(Array.from(places.tags.side).sort(), [0, 1]);
  assert.equal(places.tags.piece[0], places.tags.piece[1]);
});

test('cycles end, and the line that closes one is a tag', () => {
  const b = new Builder();
  const merge = b.op('Merge', 'merge', [b.input('x')]);
  const body = b.op('Add', 'body', [merge]);
  const next = b.op('NextIteration', 'next', [body]);
  b.edge(next, 0, merge, 1);
  const { places } = laidOut(b.columns());
  assert.equal(Array.from(places.pieces.stub).filter(Boolean).length, 1);
});

test('graphs of nothing, of one, and of many strangers', () => {
  assert.equal(laidOut(new Builder().columns()).places.bounds.w, 0);
  const lonely = new Builder();
  for (let i = 0; i < 500; i++) lonely.op('Relu', `r${i}`);
  const sample = laidOut(lonely.columns());
  noneOverlap(sample);
  assert.ok(sample.places.bounds.w < sample.places.bounds.h * 8 && sample.places.bounds.h < sample.places.bounds.w * 8);
});

test('a chain of a hundred thousand is laid out without recursion, top to bottom', () => {
  const { graph, view, places } = laidOut(chain(100_000));
  const { y } = places;
  for (let op = 1; op < graph.count; op++) assert.ok(y[view.nodeOf[op]] > y[view.nodeOf[op - 1]]);
});

test('scopes nested a thousand deep', () => {
  const b = new Builder();
  let at = b.input('x');
  for (let i = 0; i < 1000; i++) at = b.op('Relu', `${Array.from({ length: i % 200 }, (_, d) => `d${d}`).join('/')}/r${i}`, [at]);
  noneOverlap(laidOut(b.columns()));
});

for (const [family, make] of Object.entries(FAMILIES)) {
  test(`${family}: no overlaps at 3,000, and 30,000 laid out in a few seconds on any machine`, () => {
    noneOverlap(laidOut(make(3000)), family);
    noneOverlap(laidOut(make(3000), { every: 0 }), family);
    const input = layoutInput(laidOut(make(30_000)).view);
    const begun = performance.now();
    layout(input);
    assert.ok(performance.now() - begun < 5000);
  });
}

test('a line that falls straight into a wide scope takes no height for a slope', () => {
  const b = new Builder();
  const first = b.op('Relu', 'wide/first', [b.input('x')]);
  let at = first;
  for (let i = 0; i < 12; i++) at = b.op('Relu', `wide/r${i}`, [at]);
  // A wide box beside the chain, on one side of it alone.
  const many = Array.from({ length: 12 }, (_, i) => b.op('Exp', `wide/side/e${i}`));
  b.op('Add', 'wide/last', [at, b.op('Concat', 'wide/side/all', many)]);
  const { view, places } = laidOut(b.columns());
  const { x, y, w, h } = places;
  const [input, scope, top] = [view.kind.indexOf(NODE.input), view.kind.indexOf(NODE.open), view.nodeOf[first]];
  assert.ok(Math.abs(x[input] + w[input] / 2 - x[scope] - w[scope] / 2) > 400, 'the line enters far from the middle');
  assert.ok(y[scope] - y[input] - h[input] <= 44, `${y[scope] - y[input] - h[input]}`);
  assert.ok(y[top] - y[scope] <= 50, `${y[top] - y[scope]}`);
});
