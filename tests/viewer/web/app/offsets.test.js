// Where in the text a complaint stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runs, tokens, unitsAt } from '../../../../viewer/web/app/offsets.js';

test('characters beyond the first plane are two units', () => {
  assert.equal(unitsAt('from 𝛼 to b', 5), 5);
  assert.equal(unitsAt('from 𝛼 to b', 6), 7);
  assert.equal(unitsAt('从 卷积 到', 4), 4);
  assert.equal(unitsAt('ab', 99), 2);
  assert.equal(unitsAt('ab', 0), 0);
});

test('runs cover the text exactly once', () => {
  const text = 'from conv_1 to relu';
  const parts = runs(text, [
    { start: 15, end: 19 },
    { start: 5, end: 11 },
  ]);
  assert.deepEqual(
    parts.map((part) => [part.text, part.mark !== null]),
    [
      ['from ', false],
      ['conv_1', true],
      [' to ', false],
      ['relu', true],
    ],
  );
});

test('marks that overlap, are empty, or lie outside', () => {
  const whole = (marks) =>
    runs('abcdef', marks)
      .map((part) => part.text)
      .join('');
  assert.equal(
    whole([
      { start: 1, end: 4 },
      { start: 2, end: 6 },
    ]),
    'abcdef',
  );
  assert.equal(whole([{ start: 9, end: 12 }]), 'abcdef');
  assert.deepEqual(
    runs('abc', [{ start: 1, end: 1 }]).map((part) => part.text),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(runs('', [{ start: 0, end: 0 }]), []);
});

test('words of the language have colours, names do not', () => {
  const text = 'from conv1 to "a to b"; tap %x:0 # to';
  assert.deepEqual(
    tokens(text).map((one) => [text.slice(one.start, one.end), one.kind]),
    [
      ['from', 'keyword'],
      ['to', 'keyword'],
      ['"a to b"', 'string'],
      ['tap', 'keyword'],
      ['%x:0', 'tensor'],
      ['# to', 'comment'],
    ],
  );
});
