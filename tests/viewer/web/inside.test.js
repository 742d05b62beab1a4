/** What a scope holds, and what crosses its border. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { contents, groupScope, readGraph, visible } from '../../../viewer/web/engine/engine.js';

const NAMES = ['pre', 's/a', 's/w', 's/b/c', 's/add', 'post'];
const TYPES = ['Relu', 'Conv', 'Const', 'Relu', 'Relu', 'Conv'];
const WORDS = [...new Set(TYPES)];
/** From, output, to, slot, label. */
const EDGES = [
  [-1, 0, 0, 0, 0],
  [0, 0, 1, 0, 1],
  [2, 0, 1, 1, 0],
  [1, 0, 3, 0, 0],
  [3, 0, 4, 0, 0],
  [0, 0, 4, 1, 1],
  [-1, 0, 4, 2, 0],
  [0, 1, 4, -1, -1],
  [3, 1, 5, 0, -1],
  [4, 0, 5, 1, 2],
];

function graph() {
  const column = (/** @type {number} */ at) => EDGES.map((edge) => edge[at]);
  return readGraph({
    count: NAMES.length,
    names: NAMES,
    types: { words: WORDS, of: TYPES.map((type) => WORDS.indexOf(type)) },
    edges: { from: column(0), output: column(1), to: column(2), slot: column(3), label: column(4) },
    labels: ['f32 1', 'f32 2', 'f32 3'],
    inputs: [{ name: 'in' }],
    outputs: [{ op: 4, output: 0, name: 'sum', label: 'f32 3' }],
    stored: [2],
    tensors: { names: ['pre:0', 'c:1', 'sum'], op: [0, 3, 4], output: [0, 1, 0] },
  });
}

test('operators are counted by type, without constants, as the group on the graph counts them', () => {
  const { count, types } = contents(graph(), 's');
  assert.deepEqual(types, [['Relu', 2], ['Conv', 1]]);
  const view = visible(graph(), { open: new Set() });
  assert.equal(view.groups.find(({ scope }) => scope === groupScope('', 's'))?.count, count);
});

test('tensors enter once however many read them; constants and orders of control do not', () => {
  assert.deepEqual(contents(graph(), 's').enters, [
    { name: 'pre:0', label: 'f32 2', producer: 0, readers: [1, 4], output: false },
    { name: 'in', label: 'f32 1', producer: -1, readers: [4], output: false },
  ]);
});

test('tensors leave to readers outside, and as outputs of the graph', () => {
  assert.deepEqual(contents(graph(), 's').leaves, [
    { name: 'c:1', label: '', producer: 3, readers: [5], output: false },
    { name: 'sum', label: 'f32 3', producer: 4, readers: [5], output: true },
  ]);
});

test('an inner scope has its own border', () => {
  const { count, enters, leaves } = contents(graph(), 's/b');
  assert.equal(count, 1);
  assert.deepEqual(enters.map(({ name, producer, readers }) => [name, producer, readers]), [['s/a:0', 1, [3]]]);
  assert.deepEqual(leaves.map(({ producer, readers }) => [producer, readers]), [[3, [4]], [3, [5]]]);
});
