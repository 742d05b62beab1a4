/**
 * What of a graph is drawn: operators, folded scopes as one node, open ones as boxes, constants as lines of their
 * readers, bodies of control flow inside their operator.
 *
 * A scope is a group when at least two things lie in it; one that holds a single thing adds nothing but a border.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./types.js').Group} Group
 * @typedef {import('./types.js').FoldOptions} FoldOptions
 * @typedef {import('./graph.js').Graph} Graph
 */

import { hiddenConstants } from './constants.js';
import { drawnEdges } from './edges.js';
import { bodyScope, groupScope, locate, NODE, numbered } from './nodes.js';
import { sizes } from './sizes.js';

/** Puts nodes together, graph by graph. */
export class Folder {
  /**
   * @param {Graph} graph
   * @param {FoldOptions} options
   */
  constructor(graph, { open, constants = false, bodies = new Map() }) {
    this.open = open;
    this.showConstants = constants;
    this.graphs = numbered(graph, bodies);
    const last = this.graphs[this.graphs.length - 1];
    this.ids = last.base + last.graph.count;
    this.edges = last.edgeBase + last.graph.to.length;
    this.nodeOf = new Int32Array(this.ids).fill(-1);
    this.inside = new Uint8Array(this.ids);
    /** Nodes of the inputs of each drawn graph. @type {Map<string, Int32Array>} */
    this.inputNodes = new Map();
    /** Nodes of the outputs of each drawn graph. @type {Map<string, Int32Array>} */
    this.outputNodes = new Map();
    /** Which constants are folded away in each drawn graph. @type {Map<string, Uint8Array>} */
    this.hidden = new Map();
    /** Bodies that have a box: a function that several operators call is drawn in the first. @type {Set<string>} */
    this.taken = new Set();
    /** @type {Group[]} */
    this.groups = [];
    /** @type {number[]} */
    this.kind = [];
    /** @type {number[]} */
    this.id = [];
    /** @type {number[]} */
    this.parent = [];
  }

  /**
   * @param {number} kind
   * @param {number} id
   * @param {number} parent
   */
  add(kind, id, parent) {
    this.id.push(id);
    this.parent.push(parent);
    return this.kind.push(kind) - 1;
  }

  /**
   * @param {number} kind
   * @param {number} parent
   * @param {Omit<Group, 'node'>} group
   */
  addGroup(kind, parent, group) {
    const node = this.add(kind, this.groups.length, parent);
    this.groups.push({ ...group, node });
    return node;
  }

  /** Every graph that is drawn, bodies after the graph that holds their operator. */
  run() {
    /** @type {{part: View['graphs'][number], container: number}[]} */
    const todo = [{ part: this.graphs[0], container: -1 }];
    const byKey = new Map(this.graphs.map((part) => [part.key, part]));
    for (let next = todo.pop(); next; next = todo.pop()) {
      for (const { key, container } of this.addGraph(next.part, next.container)) {
        const part = byKey.get(key);
        if (part) todo.push({ part, container });
      }
    }
  }

  /**
   * @param {View['graphs'][number]} part
   * @param {number} container
   * @returns {{key: string, container: number}[]} the bodies that are open in it
   */
  addGraph(part, container) {
    const { graph, key, base } = part;
    const hidden = this.showConstants ? new Uint8Array(graph.count) : hiddenConstants(graph);
    this.hidden.set(key, hidden);
    this.inputNodes.set(key, Int32Array.from(graph.inputs, (_, k) => this.add(NODE.input, -1 - k, container)));
    const places = this.addScopes(part, container, hidden);
    /** @type {{key: string, container: number}[]} */
    const bodies = [];
    const { of } = graph.scopes;
    for (let op = 0; op < graph.count; op++) {
      if (hidden[op]) continue;
      const folded = places.folded[of[op]];
      this.inside[base + op] = folded >= 0 ? 1 : 0;
      this.nodeOf[base + op] = folded >= 0 ? folded : this.add(NODE.op, base + op, places.inner[of[op]]);
      if (folded < 0 && op in graph.bodies) bodies.push(...this.addBodies(part, op));
    }
    this.outputNodes.set(key, Int32Array.from(graph.outputs, (_, k) => this.add(NODE.output, k, container)));
    this.placeConstants(part, hidden);
    return bodies;
  }

  /**
   * Boxes for the open bodies of an operator that has just been added.
   *
   * @param {View['graphs'][number]} part
   * @param {number} op
   */
  addBodies({ graph, base }, op) {
    const node = this.nodeOf[base + op];
    const open = graph.bodies[op].filter(
      ({ key }) => this.open.has(bodyScope(key)) && !this.taken.has(key) && this.graphs.some((g) => g.key === key),
    );
    for (const { key } of open) this.taken.add(key);
    if (open.length > 0) this.kind[node] = NODE.body;
    return open.map(({ key, name }) => {
      const count = this.graphs.find((part) => part.key === key)?.graph.count ?? 0;
      const group = { scope: bodyScope(key), label: name, count, op: base + op };
      return { key, container: this.addGroup(NODE.open, node, group) };
    });
  }

  /**
   * Nodes for the scopes that are groups.
   *
   * @param {View['graphs'][number]} part
   * @param {number} container
   * @param {Uint8Array} hidden
   * @returns {{inner: Int32Array, folded: Int32Array}} by scope: the container of what is in it, and the folded group
   *   that stands for it (-1: it is open)
   */
  addScopes({ graph, key }, container, hidden) {
    const { paths, parent } = graph.scopes;
    const { things, total } = contents(graph, hidden);
    const inner = new Int32Array(paths.length).fill(container);
    const folded = new Int32Array(paths.length).fill(-1);
    const shown = new Int32Array(paths.length);
    for (let scope = 1; scope < paths.length; scope++) {
      const above = parent[scope];
      inner[scope] = inner[above];
      folded[scope] = folded[above];
      shown[scope] = shown[above];
      if (folded[above] >= 0 || things[scope] < 2) continue;
      const start = shown[above] === 0 ? 0 : paths[shown[above]].length + 1;
      const label = paths[scope].slice(start).replace(/^\/+/, '');
      const group = { scope: groupScope(key, paths[scope]), label, count: total[scope], op: -1 };
      const open = this.open.has(group.scope);
      const node = this.addGroup(open ? NODE.open : NODE.group, inner[above], group);
      if (open) inner[scope] = node;
      else folded[scope] = node;
      shown[scope] = scope;
    }
    return { inner, folded };
  }

  /**
   * A folded constant is shown by its first reader.
   *
   * @param {View['graphs'][number]} part
   * @param {Uint8Array} hidden
   */
  placeConstants({ graph, base }, hidden) {
    const { order, forward, to } = graph;
    for (let at = graph.count - 1; at >= 0; at--) {
      const op = order[at];
      if (!hidden[op]) continue;
      this.nodeOf[base + op] = this.nodeOf[base + to[forward.items[forward.offsets[op]]]];
      this.inside[base + op] = 1;
    }
  }
}

/**
 * How many things a scope would show if it were open, and how many operators are anywhere in it.
 *
 * @param {Graph} graph
 * @param {Uint8Array} hidden
 */
function contents(graph, hidden) {
  const { paths, parent, of } = graph.scopes;
  const things = new Int32Array(paths.length);
  const total = new Int32Array(paths.length);
  for (let op = 0; op < graph.count; op++) {
    if (hidden[op]) continue;
    things[of[op]]++;
    total[of[op]]++;
  }
  for (let scope = paths.length - 1; scope > 0; scope--) {
    things[parent[scope]] += Math.min(things[scope], 1);
    total[parent[scope]] += total[scope];
  }
  return { things, total };
}

/**
 * @param {Graph} graph
 * @param {FoldOptions} options
 * @returns {View}
 */
export function visible(graph, options) {
  const folder = new Folder(graph, options);
  folder.run();
  const { graphs, groups, ids, nodeOf, inside } = folder;
  const { edges, constants, labels } = drawnEdges(folder);
  const view = {
    count: folder.kind.length,
    kind: Uint8Array.from(folder.kind),
    id: Int32Array.from(folder.id),
    parent: Int32Array.from(folder.parent),
    w: new Float64Array(folder.kind.length),
    h: new Float64Array(folder.kind.length),
    reach: new Float64Array(folder.kind.length),
    ...{ groups, graphs, ids, nodeOf, inside, edges, constants, labels },
  };
  sizes(view, options.awaited);
  return view;
}

/**
 * Scopes (and bodies) to open so that an operator is drawn on its own: add them to `FoldOptions.open`.
 *
 * @param {Graph} graph main graph
 * @param {Map<string, Graph>} bodies
 * @param {number} id
 * @returns {string[]}
 */
export function scopesAround(graph, bodies, id) {
  const graphs = numbered(graph, bodies);
  /** @type {string[]} */
  const found = [];
  for (let at = locate({ graphs }, id), steps = 0; steps <= graphs.length; steps++) {
    const { paths, parent, of } = at.graph.scopes;
    for (let scope = of[at.op]; scope !== 0; scope = parent[scope]) found.push(groupScope(at.key, paths[scope]));
    if (at.key === '') break;
    found.push(bodyScope(at.key));
    const owner = graphs.map((part) => ({ part, op: ownerIn(part.graph, at.key) })).find(({ op }) => op >= 0);
    if (!owner) break;
    at = { graph: owner.part.graph, key: owner.part.key, op: owner.op };
  }
  return found;
}

/**
 * @param {Graph} graph
 * @param {string} key of a body
 * @returns {number} the operator that runs it, or -1
 */
function ownerIn(graph, key) {
  const found = Object.entries(graph.bodies).find(([, bodies]) => bodies.some((body) => body.key === key));
  return found ? Number(found[0]) : -1;
}

/** A picture of fewer nodes than this says nothing: more is opened, whatever it costs. */
const TOO_FEW = 12;

/**
 * What to open at first: scopes from the outside inwards while what is drawn stays within the budget.
 *
 * @param {Graph} graph
 * @param {number} [budget] nodes
 * @returns {Set<string>}
 */
export function defaultOpen(graph, budget = 400) {
  const { paths, parent } = graph.scopes;
  const { things } = contents(graph, hiddenConstants(graph));
  const depth = new Int32Array(paths.length);
  for (let scope = 1; scope < paths.length; scope++) depth[scope] = depth[parent[scope]] + 1;
  const groups = Array.from(paths.keys()).filter((scope) => scope > 0 && things[scope] > 1);
  groups.sort((a, b) => depth[a] - depth[b] || a - b);
  /** @type {Set<string>} */
  const open = new Set();
  const within = (/** @type {number} */ scope) => {
    let outer = parent[scope];
    while (outer !== 0 && things[outer] < 2) outer = parent[outer];
    return outer === 0 || open.has(paths[outer]);
  };
  let drawn = things[0];
  for (const scope of groups) {
    const fits = drawn + things[scope] <= budget || drawn < TOO_FEW;
    if (!fits || !within(scope)) continue;
    open.add(paths[scope]);
    drawn += things[scope];
  }
  return open;
}
