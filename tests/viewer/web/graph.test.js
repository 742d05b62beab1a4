/** The graph in arrays, its scopes, what lies between two operators, and search. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { scopesOf } from '../../../viewer/web/engine/scopes.js';
import { readGraph, SearchIndex } from '../../../viewer/web/engine/engine.js';
import { Builder, chain, random, resnet } from './graphs.js';

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

/**
 * Reachable operators, by a definition that needs no cleverness.
 *
 * @param {import('../../../viewer/web/engine/graph.js').Graph} graph
 * @param {number} start
 */
function reachable(graph, start) {
  const seen = new Set([start]);
  for (let grown = true; grown; ) {
    grown = false;
    for (let e = 0; e < graph.to.length; e++) {
      if (!seen.has(graph.from[e]) || seen.has(graph.to[e])) continue;
      seen.add(graph.to[e]);
      grown = true;
    }
  }
  return seen;
}

test('what lies between start and end is on a way from one to the other', () => {
  for (const seed of SEEDS) {
    const graph = readGraph(random(seed, { cycles: seed % 3 === 0 }));
    const [start, end] = [0, graph.count - 1];
    const between = graph.between([start], [end]);
    const below = reachable(graph, start);
    for (let op = 0; op < graph.count; op++) {
      const expected = below.has(op) && reachable(graph, op).has(end);
      assert.equal(between[op] === 1, expected, `seed ${seed}, operator ${op}`);
    }
  }
});

test('the order holds every operator once, producers first where there is no cycle', () => {
  for (const seed of SEEDS) {
    const graph = readGraph(random(seed));
    const place = new Map(Array.from(graph.order, (op, at) => [op, at]));
    assert.equal(place.size, graph.count);
    for (let e = 0; e < graph.to.length; e++) {
      if (graph.from[e] >= 0) assert.ok(Number(place.get(graph.from[e])) < Number(place.get(graph.to[e])));
    }
    assert.equal(new Set(readGraph(random(seed, { cycles: true })).order).size, graph.count);
  }
});

test('columns that name operators that are not there are refused', () => {
  const columns = chain(3);
  columns.edges.to[1] = 7;
  assert.throws(() => readGraph(columns), /no such operator/);
  const short = chain(3);
  short.names.pop();
  assert.throws(() => readGraph(short), /unequal length/);
});

test('edges of a tensor, to all readers and to some', () => {
  const b = new Builder();
  const input = b.input('x');
  const split = b.op('Split', 'split', [input]);
  const left = b.op('Relu', 'left', [[split, 0]]);
  const right = b.op('Relu', 'right', [[split, 1]]);
  const both = b.op('Add', 'both', [[split, 0], left]);
  const graph = readGraph(b.columns());
  assert.deepEqual(graph.edgesOf(split, 0).map((e) => graph.to[e]), [left, both]);
  assert.deepEqual(graph.edgesOf(split, 0, [both]).map((e) => graph.to[e]), [both]);
  assert.deepEqual(graph.edgesOf(split, 1).map((e) => graph.to[e]), [right]);
  assert.deepEqual(graph.edgesOf(input, 0).map((e) => graph.to[e]), [split]);
});

/** @param {string[]} names */
function pathsOf(names) {
  const b = new Builder();
  for (const name of names) b.op('Relu', name);
  const { scopes } = readGraph(b.columns());
  return Array.from(scopes.of, (scope) => scopes.paths[scope]);
}

test('scopes are names up to the last slash; a slash in front and doubled ones add none', () => {
  assert.deepEqual(pathsOf(['a/b/c', 'a/d', 'e', '/m/n/Conv', '/top']), ['a/b', 'a', '', '/m/n', '']);
  const { scopes } = readGraph({ ...chain(0), count: 1, names: ['a//b/c'], types: { words: ['T'], of: [0] } });
  assert.deepEqual(scopes.paths, ['', 'a', 'a//b']);
});

test('networks without scopes are parted by the numbers of their stages', () => {
  const names = ['conv1_1', 'relu1_1', 'pool1', 'res2a_branch1', 'bn2a_branch1', 'res2b', 'prob', 'conv1_again'];
  assert.deepEqual(pathsOf(names), ['1', '1', '1', '2/2a', '2/2a', '2/2b', '', '1 (2)']);
  assert.deepEqual(pathsOf(['Conv_0', 'Relu_1', 'n12']), ['', '', '']);
});

test('search finds names, types and tensors, as words and as patterns, in any case', () => {
  const index = new SearchIndex(readGraph(resnet(60)));
  const texts = (/** @type {string} */ query, options = {}) => index.find(query, options).map(({ text }) => text);
  assert.deepEqual(texts('STEM', { tensors: false }), ['stem/conv', 'stem/relu']);
  assert.ok(index.find('softmax', { names: false }).every(({ kind }) => kind === 'type'));
  assert.deepEqual(texts('/^fc$/', { types: false, tensors: false }), ['fc']);
  assert.deepEqual(texts('stem/conv:0'), ['stem/conv:0']);
  assert.deepEqual(texts('/(/'), []);
  assert.deepEqual(texts('  '), []);
  assert.equal(index.find('o', { limit: 5 }).length, 5);
});

test('search agrees with looking at every name', () => {
  for (const seed of SEEDS) {
    const graph = readGraph(random(seed));
    const index = new SearchIndex(graph);
    for (const word of ['op1', 's1', '/', '9', 'op']) {
      const expected = [...graph.names.keys()].filter((op) => graph.names[op].includes(word));
      // A pattern stands between two slashes; a single slash is a word.
      assert.deepEqual(index.find(word, { types: false, tensors: false }).map(({ op }) => op), expected);
    }
  }
});

test('names with line ends and letters that change their length in lower case are found', () => {
  const b = new Builder();
  b.op('Relu', 'İstanbul');
  b.op('Relu', 'two\nlines');
  b.op('Relu', 'third');
  const index = new SearchIndex(readGraph(b.columns()));
  assert.deepEqual(index.find('lines', { tensors: false }).map(({ op }) => op), [1]);
  assert.deepEqual(index.find('third', { tensors: false }).map(({ op }) => op), [2]);
});

test('what goes with a layer lies in the stage of the layer', () => {
  const names = ['data', 'conv1', 'bn_conv1', 'scale_conv1', 'conv1_relu', 'pool1', 'res2a_branch1', 'bn2a_branch1', 'prob'];
  const { paths, of } = scopesOf(names, new Uint8Array(names.length));
  assert.deepEqual(Array.from(of, (scope) => paths[scope]), ['', '1', '1', '1', '1', '1', '2/2a', '2/2a', '']);
});
