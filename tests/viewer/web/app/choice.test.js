// Starts, ends and the text stay in step.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  answered,
  blue,
  endsWithin,
  nothing,
  point,
  refuseEnd,
  refuseStart,
  startsWithin,
  worded,
  write,
} from '../../../../viewer/web/app/choice.js';
import { readGraph } from '../../../../viewer/web/engine/engine.js';

/** a → b → d, a → c → d, and e on its own. */
const graph = readGraph({
  count: 5,
  names: ['a', 'b', 'c', 'd', 'e'],
  types: { words: ['Op'], of: [0, 0, 0, 0, 0] },
  labels: [],
  edges: { from: [0, 0, 1, 2], output: [0, 0, 0, 0], to: [1, 2, 3, 3], slot: [0, 0, 0, 1], label: [-1, -1, -1, -1] },
});
const chosen = {
  ok: true,
  text: 'from a to d',
  ops: [0, 1, 2, 3],
  starts: [0],
  ends: [3],
  inputs: [],
  outputs: [],
  constants: 0,
  needs: [],
};

test('pointing leads to words, and the answer leaves what was pointed at', () => {
  let choice = point(nothing(), '', [0], [3]);
  assert.equal(choice.state, 'asking');
  choice = worded(choice, 'from a to d');
  assert.equal(choice.text, 'from a to d');
  choice = answered(choice, { ...chosen, starts: [], ends: [] });
  assert.deepEqual([choice.starts, choice.ends, choice.state], [[0], [3], 'ok']);
});

test('typing leads to starts and ends, and the text stays as typed', () => {
  let choice = write(nothing(), 'from  a to d ');
  choice = answered(choice, chosen);
  assert.deepEqual([choice.starts, choice.ends, choice.text], [[0], [3], 'from  a to d ']);
});

test('words that come late do not overwrite what is typed meanwhile', () => {
  const choice = write(point(nothing(), '', [0], []), 'from b');
  assert.equal(worded(choice, 'from a').text, 'from b');
});

test('a text with a mistake keeps its text, and loses its meaning', () => {
  const diagnostics = [{ code: 'unknown-operator', message: 'no', start: 5, end: 6 }];
  const choice = answered(write(answered(write(nothing(), 'from a'), chosen), 'from x'), { ok: false, diagnostics });
  assert.deepEqual([choice.text, choice.starts, choice.chosen, choice.state], ['from x', [], null, 'refused']);
  assert.equal(choice.diagnostics, diagnostics);
});

test('nothing pointed at, or an empty text, is no choice', () => {
  assert.deepEqual(point(answered(write(nothing(), 'from a'), chosen), '', [], []), nothing());
  assert.equal(write(nothing(), '  ').state, 'idle');
});

test('an end above the start is refused, and so is one beside it', () => {
  assert.equal(refuseEnd(graph, [3], [1]), null);
  assert.deepEqual(refuseEnd(graph, [0], [1]), { why: 'above', other: 1 });
  assert.deepEqual(refuseEnd(graph, [2], [1]), { why: 'apart', other: 1 });
  assert.equal(refuseEnd(graph, [2], [1, 0]), null, 'one start that reaches it is enough');
  assert.equal(refuseEnd(graph, [1], [1]), null, 'one operator can be both');
  assert.equal(refuseEnd(graph, [0], []), null);
});

test('of the ends of a scope those count that a start leads to, and one is enough', () => {
  assert.equal(refuseEnd(graph, [1, 2], [1]), null);
  assert.deepEqual(endsWithin(graph, [1, 2], [1]), [1]);
  assert.deepEqual(endsWithin(graph, [1, 2], []), [1, 2], 'without a start all of them');
  assert.deepEqual(refuseEnd(graph, [0, 4], [1, 2]), { why: 'above', other: 1 });
  assert.equal(refuseStart(graph, [2, 4], [2]), null);
  assert.deepEqual(startsWithin(graph, [2, 4], [2]), [2]);
  assert.deepEqual(refuseStart(graph, [3, 4], [2]), { why: 'above', other: 2 });
});

test('a start below the end is refused', () => {
  assert.equal(refuseStart(graph, [0], [3]), null);
  assert.deepEqual(refuseStart(graph, [3], [1]), { why: 'above', other: 1 });
  assert.deepEqual(refuseStart(graph, [4], [3]), { why: 'apart', other: 3 });
});

test('what is blue before the server answers', () => {
  const of = (starts, ends) => [...(blue(graph, { ...nothing(), starts, ends }) ?? [])].join('');
  assert.equal(of([0], [1]), '11000');
  assert.equal(of([1], []), '01010');
  assert.equal(of([], [2]), '10100');
  assert.equal(of([], []), '');
});
