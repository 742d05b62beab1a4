/** What is drawn of a graph: groups, folded constants, bodies, lines between them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  bodyScope, defaultOpen, idOf, locate, NODE, readGraph, scopesAround, visible,
} from '../../../viewer/web/engine/engine.js';
import { Builder, chain, random, tfconst, transformer } from './graphs.js';

const SEEDS = Array.from({ length: 80 }, (_, seed) => seed);

/**
 * @param {number} seed
 * @param {string[]} paths
 */
function someOf(seed, paths) {
  return new Set(paths.filter((_, k) => ((seed * 31 + k * 17) % 5) % 2 === 0));
}

test('every operator is shown by exactly one node, whatever is open', () => {
  for (const seed of SEEDS) {
    const graph = readGraph(random(seed, { cycles: seed % 4 === 0 }));
    for (const constants of [false, true]) {
      const view = visible(graph, { open: someOf(seed, graph.scopes.paths), constants });
      const own = Array.from(view.id).filter((_, node) => view.kind[node] === NODE.op);
      assert.equal(new Set(own).size, own.length);
      for (let op = 0; op < graph.count; op++) {
        const node = view.nodeOf[op];
        assert.ok(node >= 0 && node < view.count, `seed ${seed}, operator ${op}`);
        assert.equal(view.inside[op] === 0, view.kind[node] === NODE.op && view.id[node] === op);
      }
      for (let node = 0; node < view.count; node++) assert.ok(view.parent[node] < node);
    }
  }
});

test('lines join the nodes that show the ends of each edge, and none is drawn twice', () => {
  for (const seed of SEEDS) {
    const graph = readGraph(random(seed));
    const view = visible(graph, { open: someOf(seed, graph.scopes.paths), constants: true });
    const { edges } = view;
    for (let e = 0; e < graph.to.length; e++) {
      const line = edges.of[e];
      const to = view.nodeOf[graph.to[e]];
      const from = graph.from[e] < 0 ? view.id.indexOf(graph.from[e]) : view.nodeOf[graph.from[e]];
      assert.equal(line < 0, from === to);
      if (line >= 0) assert.deepEqual([edges.from[line], edges.to[line]], [from, to]);
    }
    const keys = Array.from(edges.from, (from, line) => `${from} ${edges.to[line]} ${edges.tensor[line]}`);
    assert.equal(new Set(keys).size, keys.length);
    const drawn = edges.many.reduce((sum, many) => sum + many, 0);
    const shown = Array.from(edges.of).filter((line) => line >= 0).length;
    const outputs = Array.from(edges.edge).filter((edge) => edge < 0).length;
    assert.ok(drawn >= shown && drawn <= shown + graph.outputs.length && outputs <= graph.outputs.length);
  }
});

test('constants are lines of their readers, through Identity, unless asked for', () => {
  const graph = readGraph(tfconst(20));
  const folded = visible(graph, { open: new Set(graph.scopes.paths) });
  const types = Array.from(folded.id).filter((_, n) => folded.kind[n] === NODE.op).map((id) => graph.typeName(id));
  assert.ok(!types.includes('Const') && !types.includes('Identity'));
  const conv = folded.nodeOf[graph.names.indexOf('net/layer_0/Conv2D')];
  const { offsets, items } = folded.constants;
  assert.deepEqual(Array.from(items.subarray(offsets[conv], offsets[conv + 1]), (at) => folded.labels[at]), ['f32 3,3,64,64']);
  assert.equal(folded.nodeOf[graph.names.indexOf('net/layer_0/w')], conv);
  const shown = visible(graph, { open: new Set(graph.scopes.paths), constants: true });
  assert.equal(Array.from(shown.kind).filter((kind) => kind === NODE.op).length, graph.count);
});

test('a constant that nobody reads, or that is an output, stays to be seen', () => {
  const b = new Builder();
  const used = b.constant('used', 'f32 1');
  const alone = b.constant('alone', 'f32 1');
  const output = b.constant('output', 'f32 1');
  b.op('Add', 'add', [b.input('x'), used]);
  b.op('Relu', 'relu', [output]);
  b.output(output, 'y');
  const view = visible(readGraph(b.columns()), { open: new Set() });
  assert.deepEqual([used, alone, output].map((op) => view.inside[op]), [1, 0, 0]);
});

test('a scope of one thing is no group', () => {
  const b = new Builder();
  let at = b.op('Relu', 'a/b/one', [b.input('x')]);
  at = b.op('Relu', 'c/d/two', [at]);
  b.op('Relu', 'c/d/three', [at]);
  const view = visible(readGraph(b.columns()), { open: new Set() });
  assert.deepEqual(view.groups.map(({ scope, label, count }) => ({ scope, label, count })), [{ scope: 'c/d', label: 'c/d', count: 2 }]);
});

test('opening what is around an operator shows it, in bodies too', () => {
  const inner = new Builder();
  const first = inner.op('Relu', 'deep/a', [inner.input('i')]);
  inner.output(inner.op('Relu', 'deep/b', [first]), 'o');
  const outer = new Builder();
  outer.op('If', 'scope/branch', [outer.input('x')]);
  outer.op('Relu', 'scope/other');
  outer.bodies[0] = [{ key: 'b:1', name: 'then_branch' }];
  const graph = readGraph(outer.columns());
  const bodies = new Map([['b:1', readGraph(inner.columns())]]);
  const closed = visible(graph, { open: new Set(), bodies });
  const id = idOf(closed, 'b:1', 1);
  assert.equal(closed.nodeOf[id], -1);
  const open = new Set(scopesAround(graph, bodies, id));
  assert.ok(open.has(bodyScope('b:1')));
  const view = visible(graph, { open, bodies });
  assert.equal(view.kind[view.nodeOf[id]], NODE.op);
  assert.equal(view.kind[view.nodeOf[0]], NODE.body);
  assert.deepEqual([locate(view, id).key, locate(view, id).op], ['b:1', 1]);
});

test('a function that two operators call is drawn once', () => {
  const outer = new Builder();
  const first = outer.op('Call', 'one', [outer.input('x')]);
  outer.op('Call', 'two', [first]);
  outer.bodies[0] = outer.bodies[1] = [{ key: 'f:g', name: 'g' }];
  const bodies = new Map([['f:g', readGraph(chain(3))]]);
  const view = visible(readGraph(outer.columns()), { open: new Set([bodyScope('f:g')]), bodies });
  assert.deepEqual([view.kind[view.nodeOf[0]], view.kind[view.nodeOf[1]]], [NODE.body, NODE.op]);
});

test('what is open at first stays within the budget, and shows something', () => {
  const graph = readGraph(transformer(3000));
  const view = visible(graph, { open: defaultOpen(graph, 200) });
  assert.ok(view.count > 12 && view.count < 400, String(view.count));
});
