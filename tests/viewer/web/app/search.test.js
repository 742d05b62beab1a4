// What the one field finds, and in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstChoice, neighbour, rowsOf } from '../../../../viewer/web/app/results.js';
import { looksLikeSelection, matched, readQuery, search } from '../../../../viewer/web/app/search.js';
import { readGraph, SearchIndex } from '../../../../viewer/web/engine/engine.js';

const NAMES = ['w', 'conv1', 'conv1/relu', 'my_conv1', 'preconv', 'block/conv1', '<img onerror=1>'];
const TYPES = { words: ['Const', 'Conv', 'Relu', 'Softmax'], of: [0, 1, 2, 1, 1, 1, 2] };

function index(names = NAMES, types = TYPES) {
  const edges = { from: [], output: [], to: [], slot: [], label: [] };
  const tensors = { names: ['conv1:0', 'odd'], op: [1, 2], output: [0, 0] };
  return new SearchIndex(readGraph({ count: names.length, names, types, edges, labels: [], stored: [0], tensors }));
}

const ops = (typed) => search(index(), readQuery(typed)).ops.map((op) => NAMES[op]);

test('the whole name comes first, then its beginning, then a part, then the middle of a word', () => {
  assert.deepEqual(ops('conv1'), ['conv1', 'conv1/relu', 'my_conv1', 'block/conv1']);
  assert.deepEqual(ops('CONV'), ['conv1', 'conv1/relu', 'my_conv1', 'block/conv1', 'preconv']);
});

test('constants come last', () => {
  assert.deepEqual(search(index(['w1', 'w10', 'w'], { words: ['A'], of: [0, 0, 0] }), readQuery('w')).ops, [2, 1, 0]);
});

test('prefixes ask for one kind', () => {
  assert.deepEqual(search(index(), readQuery('type:relu')), { ops: [], types: [2], tensors: [] });
  assert.deepEqual(search(index(), readQuery('%odd')), { ops: [], types: [], tensors: [1] });
  assert.equal(readQuery('attr:group').kind, 'attr');
  assert.equal(readQuery('images:0').kind, null);
});

test('a type that no operator has is not offered', () => {
  assert.deepEqual(search(index(), readQuery('softmax')).types, []);
});

test('a tensor called as its operator is said once', () => {
  assert.deepEqual(search(index(), readQuery('conv1')).tensors, []);
  assert.deepEqual(search(index(), readQuery('tensor:conv1')).tensors, [0]);
});

test('regular expressions, unfinished ones too', () => {
  assert.deepEqual(ops('/^.*conv1$/'), ['conv1', 'my_conv1', 'block/conv1']);
  assert.notEqual(readQuery('/(conv/').problem, '');
  assert.equal(readQuery('/model/conv/').regex, null, 'a path is a name');
});

test('the part of a name that matched', () => {
  assert.deepEqual(matched('my_Conv1', readQuery('conv')), [3, 7]);
  assert.deepEqual(matched('my_conv1', readQuery('/v\\d/')), [6, 8]);
  assert.equal(matched('my_conv1', readQuery('x')), null);
});

test('a sentence is taken as a selection, a word as a search', () => {
  for (const text of ['from a to b', 'op Conv', 'res2?_*', 'a plus b', 'all', '(a)'])
    assert.ok(looksLikeSelection(text), text);
  for (const text of ['conv1', 'from', 'operator', 'allreduce', 'total']) assert.ok(!looksLikeSelection(text), text);
  const rows = (typed) => rowsOf(index(), readQuery(typed), { ops: [1], text: typed }, []);
  assert.equal(firstChoice(rows('from conv1'), readQuery('from conv1')), 0);
  const word = rows('conv1');
  assert.equal(word.at(firstChoice(word, readQuery('conv1'))).kind, 'op');
});

test('what the server finds in other graphs stands last', () => {
  const rows = rowsOf(index(), readQuery('conv'), null, [], 2);
  assert.deepEqual(rows.groups.at(-1), ['elsewhere', [0, 1]]);
  assert.deepEqual(rows.at(rows.length - 1), { kind: 'elsewhere', at: 1 });
  const alone = rowsOf(index(), readQuery('in no name'), null, [], 1);
  assert.equal(alone.at(firstChoice(alone, readQuery('in no name'))).kind, 'elsewhere');
});

test('arrows pass over headings and stop at the ends', () => {
  const rows = rowsOf(index(), readQuery('conv'), null, [2]);
  assert.deepEqual(
    rows.groups.map(([kind]) => kind),
    ['type', 'op', 'attr'],
  );
  const all = Array.from({ length: rows.length }, (_, at) => rows.at(at));
  assert.equal(rows.at(rows.length), undefined);
  for (const [at, row] of all.entries()) if (row.kind !== 'head') assert.equal(rows.find(row), at);
  const first = neighbour(rows, -1, 1);
  assert.equal(all[first].kind, 'type');
  assert.equal(all[neighbour(rows, first, 1)].kind, 'op');
  assert.equal(neighbour(rows, first, -1), first);
  assert.equal(neighbour(rows, rows.length - 1, 1), rows.length - 1);
});

test('a key costs less than 50 ms at 100,000 operators', () => {
  const names = Array.from({ length: 100_000 }, (_, at) => `model/layer_${at >> 4}/block_${at & 15}/conv`);
  const big = index(names, { words: ['Conv'], of: names.map(() => 0) });
  search(big, readQuery('warm'));
  for (const [typed, count] of [
    ['layer_12', names.filter((name) => name.includes('layer_12')).length],
    ['e', names.length],
  ]) {
    let rows = rowsOf(big, readQuery(typed), null, []);
    let took = Infinity;
    for (let time = 0; time < 3; time++) {
      const begun = performance.now();
      rows = rowsOf(big, readQuery(typed), null, []);
      took = Math.min(took, performance.now() - begun);
    }
    assert.equal(rows.of('op').length, count);
    assert.ok(took < 50, `${typed}: ${took} ms`);
  }
});
