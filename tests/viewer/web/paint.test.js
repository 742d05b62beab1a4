/** What stands above what in the picture, and what it says without colour. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EDGE, readGraph, visible } from '../../../viewer/web/engine/engine.js';
import { WORDS } from '../../../viewer/web/engine/frame.js';
import { layoutHere } from '../../../viewer/web/engine/layouter.js';
import { NodeMarks } from '../../../viewer/web/engine/marks.js';
import { paint } from '../../../viewer/web/engine/paint.js';
import { Scene } from '../../../viewer/web/engine/scene.js';
import { SvgPen } from '../../../viewer/web/engine/svg.js';
import { THEMES } from '../../../viewer/web/engine/theme.js';
import { Builder } from './graphs.js';

const theme = THEMES.light;

/** a → b → c */
function chain() {
  const b = new Builder();
  const input = b.input('x');
  const first = b.op('Conv', 'a', [[input, 0]], 'f32 1');
  const second = b.op('Relu', 'b', [[first, 0]], 'f32 1');
  b.op('Add', 'c', [[second, 0]], 'f32 1');
  return readGraph(b.columns());
}

/** The picture's elements, from the back to the front. */
function drawn(graph, marks, open = new Set()) {
  const view = visible(graph, { open });
  const scene = new Scene(view, layoutHere(view));
  const { bounds } = scene.layout;
  const pen = new SvgPen(bounds.w, bounds.h);
  const what = { scene, marks: new NodeMarks(scene, marks), theme, words: WORDS, hover: -1, texts: new Map() };
  paint(pen, what, { x: bounds.x, y: bounds.y, zoom: 1, width: bounds.w, height: bounds.h, ratio: 1 });
  return pen.done('test').split('<').filter((one) => /^(path|rect|text)/.test(one));
}

test('the colour of an input of the cut stands above the lines of the selected operator, which border it', () => {
  const graph = chain();
  const edges = new Uint8Array(graph.to.length);
  edges[graph.edgesOf(0, 0)[0]] = EDGE.input;
  for (const selected of [0, 1]) {
    const lines = drawn(graph, { edges, selected, between: Uint8Array.of(0, 1, 1), starts: [1] });
    const of = (colour) => lines.filter((one) => one.includes(`stroke="${colour}"`) && /fill="none"/.test(one));
    const orange = lines.findIndex((one) => one.includes(`stroke="${theme.orange}"`));
    assert.ok(orange >= 0);
    const way = (one) => /d="([^"]*)"/.exec(one)?.[1];
    const over = lines.slice(orange + 1).filter((one) => way(one) === way(lines[orange]) && !one.includes(theme.orange));
    assert.deepEqual(over, [], 'nothing covers it');
    assert.ok(of(theme.blue).some((one) => way(one) === way(lines[orange]) && /stroke-width="6"/.test(one)));
  }
});

test('an output of the cut has not the colour of its inputs', () => {
  const graph = chain();
  const edges = new Uint8Array(graph.to.length);
  edges[graph.edgesOf(1, 0)[0]] = EDGE.output;
  const lines = drawn(graph, { edges });
  assert.ok(!lines.some((one) => one.includes(theme.orange)));
  assert.ok(lines.some((one) => one.includes(`stroke="${theme.blue}"`)));
});

test('operators without data are dashed and hollow among coloured ones, in the cut too', () => {
  const graph = chain();
  const dashes = (marks) => drawn(graph, marks).filter((one) => one.includes('stroke-dasharray')).length;
  assert.equal(dashes({}), 0, 'without colours nothing is missing');
  assert.equal(dashes({ colours: Float32Array.of(0, 0.5, 1) }), 0);
  assert.equal(dashes({ colours: Float32Array.of(NaN, 0.5, NaN) }), 2);
  assert.equal(dashes({ colours: Float32Array.of(NaN, 0.5, NaN), between: Uint8Array.of(1, 1, 1) }), 2);
  const hollow = drawn(graph, { colours: Float32Array.of(NaN, NaN, NaN) });
  for (const kind of theme.kinds) assert.ok(!hollow.some((one) => /^(path|rect)/.test(one) && one.includes(`fill="${kind}"`)));
});

test('an input from the side has a dashed line and a square, whatever its colour', () => {
  const graph = chain();
  const of = (/** @type {number} */ mark, /** @type {string} */ colour) => {
    const edges = new Uint8Array(graph.to.length);
    edges[graph.edgesOf(0, 0)[0]] = mark;
    const lines = drawn(graph, { edges });
    const line = lines.find((one) => one.includes(`stroke="${colour}"`));
    const sign = lines.filter((one) => one.includes(`fill="${colour}"`)).at(-1)?.replace(/.*? d="([^"]*)".*/s, '$1');
    return { dashed: line?.includes('stroke-dasharray'), mark: sign };
  };
  const [side, input] = [of(EDGE.side, theme.side), of(EDGE.input, theme.orange)];
  assert.deepEqual([side.dashed, input.dashed], [true, false]);
  assert.ok(side.mark && input.mark);
  assert.notEqual(side.mark, input.mark);
});
