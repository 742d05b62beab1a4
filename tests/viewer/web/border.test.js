/** Where a scope begins and ends for a cut. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { border, groupScope, readGraph, scopeParts } from '../../../viewer/web/engine/engine.js';
import { Builder, random } from './graphs.js';

/**
 * @param {string} names with spaces between; `*` marks a stored constant
 * @param {string} edges as `from>to`, with `~` for a control dependency; `in` is the input of the graph
 * @param {string[]} outputs
 */
function graphOf(names, edges, outputs = []) {
  const given = names.split(' ');
  const all = given.map((name) => name.replace('*', ''));
  const at = (/** @type {string} */ name) => (name === 'in' ? -1 : all.indexOf(name));
  const pairs = edges.split(' ').map((edge) => edge.split(/[>~]/).map(at));
  return readGraph({
    model: 0, graph: '', count: all.length, names: all,
    types: { words: ['Op'], of: all.map(() => 0) },
    labels: [],
    edges: {
      from: pairs.map(([from]) => from), to: pairs.map(([, to]) => to), output: pairs.map(() => 0),
      slot: edges.split(' ').map((edge) => (edge.includes('~') ? -1 : 0)), label: pairs.map(() => -1),
    },
    inputs: [{ name: 'in', label: '' }],
    outputs: outputs.map((name) => ({ op: at(name), output: 0, name })),
    stored: given.flatMap((name, op) => (name.endsWith('*') ? [op] : [])),
  });
}

/** @param {import('../../../viewer/web/engine/engine.js').Graph} graph @param {string} path */
function named(graph, path) {
  const { entries, exits } = border(graph, path);
  const names = (/** @type {number[]} */ ops) => ops.map((op) => graph.names[op].slice(path.length + 1)).join(' ');
  return [names(entries), names(exits)];
}

test('a scope is entered where it reads what is made outside, and left where it is read outside', () => {
  const graph = graphOf(
    'pre s/a s/b/c s/add post',
    'in>pre pre>s/a s/a>s/b/c s/b/c>s/add pre>s/add s/add>post s/b/c>post',
    ['post'],
  );
  assert.deepEqual(named(graph, 's'), ['a add', 'b/c add']);
  assert.deepEqual(named(graph, 's/b'), ['c', 'c']);
});

test('inputs and outputs of the graph lie outside', () => {
  const graph = graphOf('s/a s/b', 'in>s/a s/a>s/b', ['s/b', 's/a']);
  assert.deepEqual(named(graph, 's'), ['a', 'a b']);
});

test('constants, what is computed of them, and orders carry no data', () => {
  const graph = graphOf(
    'x w* read s/a s/w* s/read s/b end w2/only',
    'in>x w>read read>s/b x>s/a s/w>s/read s/read>s/b s/a>s/b x~s/b s/b>end s/read>end s/a~end w>w2/only w2/only>end',
    ['end'],
  );
  assert.deepEqual(named(graph, 's'), ['a', 'b']);
  assert.deepEqual(named(graph, 'w2'), ['', ''], 'constants alone');
  assert.deepEqual(named(graph, 'nowhere'), ['', '']);
});

test('a scope that nothing enters begins at what reads nothing of it; one that nothing leaves ends at what is unread', () => {
  const graph = graphOf('s/source s/a t/b t/end t/aside', 's/source>s/a s/a>t/b t/b>t/end t/b>t/aside');
  assert.deepEqual(named(graph, 's'), ['source', 'a']);
  assert.deepEqual(named(graph, 't'), ['b', 'end aside']);
});

test('whatever lies between the entries and the exits of a scope, and not in it, leads back into it', () => {
  let found = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const graph = readGraph(random(seed, { size: 80 }));
    const { paths, parent, of } = graph.scopes;
    for (let scope = 1; scope < paths.length; scope++) {
      const { entries, exits } = border(graph, paths[scope]);
      const inside = (/** @type {number} */ op) => {
        let at = of[op];
        while (at > scope) at = parent[at];
        return at === scope;
      };
      for (const op of [...entries, ...exits]) assert.ok(inside(op));
      const between = graph.between(entries, exits);
      for (const op of between.keys()) {
        if (!between[op] || inside(op)) continue;
        const after = graph.reach([op]);
        assert.ok(entries.some((entry) => after[entry]), `seed ${seed}, ${paths[scope]}, ${op}`);
        found++;
      }
    }
  }
  assert.ok(found > 20);
});

test('a scope of a body says which body', () => {
  assert.deepEqual(scopeParts(groupScope('', 'a/b')), { key: '', path: 'a/b' });
  assert.deepEqual(scopeParts(groupScope('3:then', 'a/b')), { key: '3:then', path: 'a/b' });
});
