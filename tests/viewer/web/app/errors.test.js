// Errors as colours, thresholds and strips of the curve.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { worstPerStrip } from '../../../../viewer/web/app/curve.js';
import { badness, beyond, diverge, errorAt, place, scaleOf, short, thresholdOf } from '../../../../viewer/web/app/scale.js';

test('the scale is logarithmic between the least and the greatest error', () => {
  const scale = scaleOf([1e-6, null, 0, 1e-2]);
  assert.deepEqual(scale, { low: 1e-6, high: 1e-2 });
  assert.ok(Math.abs(place(scale, 1e-4) - 0.5) < 1e-9);
  assert.ok(Math.abs(errorAt(scale, 0.5) - 1e-4) < 1e-12);
  assert.deepEqual([place(scale, 0), place(scale, 1e9), place(scale, Infinity)], [0, 1, 1]);
  assert.ok(Number.isNaN(place(scale, null)));
});

test('no errors, or all alike, still have a scale', () => {
  for (const errors of [[], [null], [0, 0], [0.5], [0.5, 0.5]]) {
    const { low, high } = scaleOf(errors);
    assert.ok(low > 0 && high > low, String(errors));
  }
});

test('the threshold is the middle of the colours wherever it is', () => {
  assert.equal(diverge(0.3, 0.3), 0.5);
  assert.equal(diverge(1, 0.3), 1);
  assert.equal(diverge(0, 0.3), 0);
  assert.ok(diverge(0.31, 0.3) > 0.5);
  assert.equal(diverge(0, 0), 0);
  assert.ok(Number.isNaN(diverge(NaN, 0.3)));
});

test('what lies beyond a threshold keeps its order', () => {
  assert.deepEqual(beyond([7, 3, 9], [0.2, null, 0.5], 0.1), [7, 9]);
  assert.deepEqual(beyond([7], [0.1], 0.1), []);
});

test('a similarity of one is no error', () => {
  assert.equal(badness('CosineSimilarity', 1), 0);
  assert.equal(badness('MaxAbsoluteError', 0.25), 0.25);
  assert.equal(badness('CosineSimilarity', null), null);
});

test('the worst of a strip is kept however many operators share it', () => {
  const places = Array.from({ length: 100_000 }, (_, at) => (at === 54_321 ? 0.9 : 0.1));
  const worst = worstPerStrip(places, 300);
  assert.ok(worst.length <= 300);
  assert.ok(worst.some((one) => one.at === 54_321 && one.place === 0.9));
  assert.deepEqual(worstPerStrip([NaN, NaN], 5), []);
});

test('numbers are short', () => {
  assert.deepEqual([0, 0.00123, 1.2345e-7, 123.456, 1e9, null, NaN].map(short), [
    '0',
    '0.00123',
    '1.2e-7',
    '123',
    '1.0e9',
    '–',
    '–',
  ]);
});

test('the first threshold lies between what was judged right and what was judged bad', () => {
  const bad = (/** @type {number} */ at) => at >= 3;
  const errors = [0, 1e-4, null, 1, 4, Infinity];
  assert.ok(Math.abs(thresholdOf(scaleOf(errors), errors, bad) - 1e-2) < 1e-9);
  assert.equal(thresholdOf(scaleOf([0, 1]), [0, 1], () => true) < 1, true);
  const right = [1e-6, 1e-2];
  assert.deepEqual(beyond([0, 1], right, thresholdOf(scaleOf(right), right, () => false)), []);
  const many = new Array(300000).fill(0.5);
  assert.ok(thresholdOf(scaleOf(many), many, () => true) < 0.5);
});
