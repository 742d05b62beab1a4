/** A picture stays where it is when types become known. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readGraph, sameShape, visible } from '../../../viewer/web/engine/engine.js';
import { layout, layoutInput } from '../../../viewer/web/engine/layout.js';
import { Builder } from './graphs.js';

const LABEL = 'f32 NHWC 1,56,56,64';

/** @param {boolean} typed */
function columns(typed) {
  const b = new Builder();
  let at = b.input('x');
  for (let i = 0; i < 4; i++) at = b.op('Relu', `s/r${i}`, [at], LABEL);
  const made = b.columns();
  return typed ? made : { ...made, edges: { ...made.edges, label: made.edges.label.map(() => -1) } };
}

test('views of a graph before and after its types are of one shape; of another fold they are not', () => {
  const [open, folded] = [new Set(['s']), new Set([''])];
  const before = visible(readGraph(columns(false)), { open, awaited: true });
  assert.ok(sameShape(before, visible(readGraph(columns(true)), { open })));
  assert.ok(!sameShape(before, visible(readGraph(columns(true)), { open: folded })));
});

test('while types are awaited there is room for them: nothing would be wider with them', () => {
  const open = new Set(['s']);
  const widths = (/** @type {boolean} */ typed, /** @type {boolean} */ awaited) => {
    const view = visible(readGraph(columns(typed)), { open, awaited });
    return [...layout(layoutInput(view)).w];
  };
  const known = widths(true, false);
  assert.ok(widths(false, true).every((width, node) => width >= known[node]));
  assert.ok(widths(false, false).some((width, node) => width < known[node]), 'labels do need room');
});
