/** What those hear who do not see the picture. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readGraph, visible } from '../../../viewer/web/engine/engine.js';
import { layoutHere } from '../../../viewer/web/engine/layouter.js';
import { describe } from '../../../viewer/web/engine/mirror.js';
import { Scene } from '../../../viewer/web/engine/scene.js';
import { resnet } from './graphs.js';

test('an operator in an open scope is called by its whole name, though the picture shows the end of it', () => {
  const graph = readGraph(resnet(60));
  const view = visible(graph, { open: new Set(graph.scopes.paths) });
  const scene = new Scene(view, layoutHere(view));
  const shortened = graph.names.map((_, op) => op).filter((op) => {
    const { name } = scene.text(scene.nodeOf(op));
    return !view.inside[op] && name !== graph.names[op] && graph.names[op].endsWith(`/${name}`);
  });
  assert.ok(shortened.length > 5);
  for (const op of shortened) {
    const said = describe(scene, scene.nodeOf(op));
    assert.equal(said.split(' ').slice(0, 2).join(' '), `${graph.typeName(op)} ${graph.names[op]}`);
  }
});

test('a folded group, an input and an output are called by what is written on them', () => {
  const graph = readGraph(resnet(60));
  const view = visible(graph, { open: new Set() });
  const scene = new Scene(view, layoutHere(view));
  const folded = view.groups[0];
  assert.ok(describe(scene, folded.node).startsWith(folded.label));
  for (const [node, kind] of view.kind.entries()) {
    const { title } = scene.text(node);
    if (kind === 1 || kind === 2) assert.equal(describe(scene, node).split(' ')[0], title);
  }
});
