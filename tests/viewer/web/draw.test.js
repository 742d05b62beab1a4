/** What is drawn and hit: bands, marks, places under the pointer, SVG, the file that needs no server. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { Bands } from '../../../viewer/web/engine/bands.js';
import { EDGE, NODE, readGraph, standalone, visible } from '../../../viewer/web/engine/engine.js';
import { hitAt, neighbour } from '../../../viewer/web/engine/hit.js';
import { kindOf, KINDS } from '../../../viewer/web/engine/kinds.js';
import { layoutHere } from '../../../viewer/web/engine/layouter.js';
import { MARK, NodeMarks } from '../../../viewer/web/engine/marks.js';
import { WORDS } from '../../../viewer/web/engine/frame.js';
import { paint } from '../../../viewer/web/engine/paint.js';
import { Scene } from '../../../viewer/web/engine/scene.js';
import { storedMarks } from '../../../viewer/web/engine/standalone.js';
import { revivedMarks } from '../../../viewer/web/engine/standalone_page.js';
import { escapeXml, SvgPen } from '../../../viewer/web/engine/svg.js';
import { elide, textWidth } from '../../../viewer/web/engine/text.js';
import { scaleColour, THEMES } from '../../../viewer/web/engine/theme.js';
import { Builder, random, randomNumbers, resnet } from './graphs.js';

/** @typedef {import('../../../viewer/web/engine/types.js').Marks} Marks */

/**
 * @param {import('../../../viewer/web/engine/types.js').Columns} columns
 * @param {{open?: Set<string>}} [options]
 */
function sceneOf(columns, { open } = {}) {
  const graph = readGraph(columns);
  const view = visible(graph, { open: open ?? new Set(graph.scopes.paths) });
  return { graph, view, scene: new Scene(view, layoutHere(view)) };
}

/**
 * @param {Scene} scene
 * @param {Marks} [marks]
 * @param {{zoom?: number, dark?: boolean}} [options]
 */
function drawn(scene, marks = {}, { zoom = 1, dark = false } = {}) {
  const { bounds } = scene.layout;
  const pen = new SvgPen(bounds.w * zoom, bounds.h * zoom);
  const sight = { x: bounds.x, y: bounds.y, zoom, width: bounds.w * zoom, height: bounds.h * zoom, ratio: 1 };
  const theme = THEMES[dark ? 'dark' : 'light'];
  const what = { scene, marks: new NodeMarks(scene, marks), theme, words: WORDS, hover: -1, texts: new Map() };
  paint(/** @type {any} */ (pen), what, sight);
  return pen.done('test');
}

test('bands find what crosses them, and nothing else', () => {
  const next = randomNumbers(3);
  const tops = Float64Array.from({ length: 500 }, () => next() * 1e6);
  const bottoms = tops.map((top) => top + next() ** 8 * 1e6);
  const bands = new Bands(tops, bottoms);
  for (let round = 0; round < 50; round++) {
    const top = next() * 1.2e6 - 1e5;
    const bottom = top + next() * 1e5;
    const expected = [...tops.keys()].filter((k) => tops[k] <= bottom && bottoms[k] >= top);
    assert.deepEqual(bands.query(top, bottom, []).sort((a, b) => a - b), expected);
  }
});

test('every node is hit in its middle; arrows follow lines', () => {
  for (let seed = 0; seed < 20; seed++) {
    const { view, scene } = sceneOf(random(seed));
    const { x, y, w, h } = scene.layout;
    for (let node = 0; node < view.count; node++) {
      if (view.kind[node] >= NODE.open) continue;
      const hit = hitAt(scene, x[node] + w[node] / 2, y[node] + h[node] / 2, 1);
      assert.deepEqual([hit?.node, hit?.id], [node, view.id[node]]);
    }
    for (let edge = 0; edge < view.edges.count; edge++) {
      assert.notEqual(neighbour(scene, view.edges.from[edge], 'down'), -1);
      assert.notEqual(neighbour(scene, view.edges.to[edge], 'up'), -1);
    }
  }
});

test('a line is hit near its points, the title of a box opens and closes it', () => {
  const { view, scene } = sceneOf(resnet(100));
  const { pieces, x, y } = scene.layout;
  for (let piece = 0; piece < pieces.count; piece++) {
    const k = pieces.offsets[piece];
    const hit = hitAt(scene, pieces.points[2 * k], pieces.points[2 * k + 1] + 3, 1);
    if (hit?.kind === 'edge') assert.equal(view.edges.tensor[hit.id], view.edges.tensor[pieces.edge[piece]]);
  }
  const box = view.groups[0].node;
  const hit = hitAt(scene, x[box] + 10, y[box] + 10, 1);
  assert.deepEqual([hit?.kind, hit?.scope, hit?.toggle], ['group', view.groups[0].scope, true]);
});

test('marks reach the nodes that show the operators: groups for what is folded, no reader for a constant', () => {
  const b = new Builder();
  const weight = b.constant('w', 'f32 3');
  const conv = b.op('Conv', 'a/conv', [b.input('x'), weight]);
  const relu = b.op('Relu', 'a/relu', [conv]);
  const last = b.op('Add', 'last', [relu]);
  const { view, scene, graph } = sceneOf(b.columns(), { open: new Set() });
  const between = Uint8Array.of(1, 0, 1, 0);
  const colours = Float32Array.of(NaN, 0.25, 0.75, NaN);
  const edges = new Uint8Array(graph.to.length);
  for (const edge of graph.edgesOf(relu, 0)) edges[edge] = EDGE.input;
  const marks = new NodeMarks(scene, { between, colours, edges, selected: weight, starts: [last] });
  const group = view.nodeOf[conv];
  assert.equal(view.kind[group], NODE.group);
  assert.equal(marks.flags[group] & MARK.between, MARK.between);
  assert.equal(marks.flags[group] & MARK.selected, MARK.selected);
  assert.equal(marks.flags[view.nodeOf[last]], MARK.start);
  assert.equal(marks.colour[group], 0.75);
  assert.ok(Number.isNaN(marks.colour[view.nodeOf[last]]));
  const line = view.edges.of[graph.edgesOf(relu, 0)[0]];
  assert.equal(marks.edges[line], EDGE.input);
});

test('fused groups are outlined as one where nothing else stands between', () => {
  const b = new Builder();
  const first = b.op('Conv', 'conv', [b.input('x')]);
  const second = b.op('Relu', 'relu', [first]);
  b.op('Add', 'add', [second]);
  const { scene } = sceneOf(b.columns());
  const outlines = (/** @type {number[]} */ ops) => new NodeMarks(scene, { fused: [{ name: 'f', ops }] }).outlines.length;
  assert.equal(outlines([0, 1]), 1);
  assert.equal(outlines([0, 2]), 2);
  assert.equal(outlines([]), 0);
});

test('the drawing holds types, names, shapes and marks, at every level of detail, in both themes', () => {
  const { scene, graph } = sceneOf(resnet(60));
  const between = graph.between([0], [graph.count - 1]);
  const svg = drawn(scene, { between, starts: [0], ends: [3], hit: 2, selected: 1 });
  for (const text of ['>Conv<', '>fc<', 'f32 NCHW 1,64,56,56', '▼ start', '■ end', THEMES.light.green, THEMES.light.blue]) {
    assert.ok(svg.includes(text), text);
  }
  for (const zoom of [0.3, 0.2, 0.1, 0.03]) {
    const far = drawn(scene, { between }, { zoom, dark: true });
    assert.ok(!far.includes('NaN') && far.includes(THEMES.dark.blueHeader) && !far.includes('>fc<'));
  }
});

test('names are text, never markup', () => {
  const b = new Builder();
  b.op('Conv', '<img onerror="x">&\u0001\ud800', [b.input('</svg>')]);
  const svg = drawn(sceneOf(b.columns()).scene);
  assert.ok(!svg.includes('<img') && svg.split('</svg>').length === 2 && !svg.includes('\u0001'));
  assert.equal(escapeXml('a<b>"&\ud83d\ude00\udc00'), 'a&lt;b&gt;&quot;&amp;\ud83d\ude00\ufffd');
});

const read = (/** @type {string} */ name) =>
  readFile(new URL(`../../../viewer/web/engine/${name}`, import.meta.url), 'utf8');

test('the file holds every module it imports, and no data that could end its script', async () => {
  const columns = resnet(20);
  columns.names[0] = '</script><b>';
  const html = await standalone({ title: '<b>', columns, marks: { colours: Float32Array.of(1, NaN), selected: 1 } }, read);
  assert.equal(html.split('</script>').length - 1, 3);
  assert.ok(html.includes('<title>&lt;b&gt;</title>'));
  const map = JSON.parse(/<script type="importmap">(.*?)<\/script>/s.exec(html)?.[1] ?? '');
  for (const url of Object.values(map.imports)) {
    const source = decodeURIComponent(url.slice(url.indexOf(',') + 1));
    for (const [, name] of source.matchAll(/^(?:import|export) .*? from '(.*?)'/gms)) assert.ok(name in map.imports, name);
    assert.ok(!/from '\.\//.test(source));
  }
  const data = JSON.parse(/id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? '');
  assert.equal(data.columns.names[0], '</script><b>');
});

test('marks survive being stored', () => {
  const marks = {
    selected: 2, between: Uint8Array.of(1, 0), colours: Float32Array.of(0.5, NaN),
    values: (/** @type {number} */ id) => `v${id}`, starts: [1],
  };
  const back = revivedMarks(JSON.parse(JSON.stringify(storedMarks(marks))));
  assert.deepEqual({ ...back, values: null }, { ...marks, values: null });
  assert.deepEqual([back.values?.(0), back.values?.(1)], ['v0', '']);
});

test('operators of the three formats have their kinds', () => {
  const expected = {
    Conv: 'convolution', Conv2D: 'convolution', Convolution: 'convolution', DepthwiseConv2dNative: 'convolution',
    'com.microsoft.FusedConv': 'convolution', MatMul: 'product', InnerProduct: 'product', Gemm: 'product',
    BatchNormalization: 'normalization', FusedBatchNormV3: 'normalization', LRN: 'normalization', Scale: 'normalization',
    Relu: 'activation', ReLU: 'activation', Softmax: 'activation', MaxPool: 'pooling', Pooling: 'pooling',
    AddV2: 'arithmetic', Eltwise: 'arithmetic', Reshape: 'shape', ConcatV2: 'shape', ReduceMean: 'reduction', Mean: 'reduction',
    QuantizeLinear: 'quantization', QLinearConv: 'convolution', If: 'control', Loop: 'control', Placeholder: 'data',
    Input: 'data', LSTM: 'recurrent', MyOwnOperator: 'other',
  };
  for (const [type, kind] of Object.entries(expected)) assert.equal(KINDS[kindOf(type)], kind, type);
});

/**
 * Contrast of two colours, as WCAG 2 counts it.
 *
 * @param {string} a
 * @param {string} b
 */
function contrast(a, b) {
  const [light, dark] = [a, b].map(luminance).sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** @param {string} colour `#rrggbb` or `rgb(r,g,b)` */
function luminance(colour) {
  const parts = colour.startsWith('#')
    ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
    : (colour.match(/\d+/g) ?? []).map(Number);
  const [r, g, b] = parts.map((part) => (part / 255 <= 0.03928 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test('text can be read on every colour it stands on', () => {
  for (const theme of Object.values(THEMES)) {
    assert.equal(theme.kinds.length, KINDS.length);
    for (const fill of [...theme.kinds, theme.blueHeader, theme.none]) assert.ok(contrast(theme.header, fill) >= 4.2, `${theme.header} on ${fill}`);
    for (const fill of [theme.card, theme.blueCard]) assert.ok(contrast(theme.text, fill) >= 7);
    for (const fill of [theme.card, theme.background, theme.box, theme.boxDeep, theme.blueCard]) {
      assert.ok(contrast(theme.faint, fill) >= 4.5, `${theme.faint} on ${fill}`);
    }
  }
  for (let value = 0; value <= 1; value += 0.05) {
    const { fill, text } = scaleColour(value);
    assert.ok(contrast(fill, text) >= 4.2, `${text} on ${fill}`);
  }
});

test('texts are shortened in the middle until they fit', () => {
  const measure = (/** @type {string} */ text) => textWidth(text, 10);
  assert.equal(elide('short', 100, measure), 'short');
  for (let width = 10; width < 200; width += 7) {
    const text = elide('resnet/block1/unit_1/conv1/Conv2D', width, measure);
    assert.ok(measure(text) <= width || text === '…', text);
  }
});
