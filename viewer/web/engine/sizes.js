/**
 * How large nodes are drawn: from what is written on them, in steps, so that blocks that repeat come out equal.
 *
 * @module
 * @typedef {import('./types.js').View} View
 */

import { isContainer, locate, NODE } from './nodes.js';
import { textWidth } from './text.js';

/** Heights and fonts of the parts of a node, in pixels. */
export const METRICS = Object.freeze({
  header: 26,
  line: 17,
  constant: 15,
  foot: 4,
  title: 28,
  group: 48,
  pill: 26,
  typeFont: 13,
  nameFont: 11,
  labelFont: 10.5,
});

/** Constants beyond this many are counted, not listed. */
export const CONSTANT_LINES = 3;
/** Bold letters are this much wider. */
const BOLD = 1.1;
const MIN = 84;
const NAME_MAX = 168;
const LABEL_MAX = 420;
/** Room for a type that is being looked for, such as `f32 NHWC 1,56,56,64`. */
const AWAITED = 132;
const STEP = 12;

/** @param {number} width */
const stepped = (width) => Math.ceil(width / STEP) * STEP;

/**
 * What is written on a node: the type (or label) and the name below it.
 *
 * @param {View} view
 * @param {number} node
 * @returns {{title: string, name: string}}
 */
export function nodeText(view, node) {
  const kind = view.kind[node];
  const id = view.id[node];
  if (kind === NODE.group || kind === NODE.open) return { title: view.groups[id].label, name: '' };
  const { graph, op } = located(view, node);
  if (kind === NODE.input) return { title: graph.inputs[-1 - id].name, name: '' };
  if (kind === NODE.output) return { title: graph.outputs[id].name, name: '' };
  return { title: graph.typeName(op), name: shortName(view, node, graph.names[op]) };
}

/**
 * The graph of an operator, an input or an output.
 *
 * @param {View} view
 * @param {number} node
 */
export function located(view, node) {
  if (view.kind[node] === NODE.op || view.kind[node] === NODE.body) return locate(view, view.id[node]);
  const container = view.parent[node];
  const scope = container < 0 ? '' : view.groups[view.id[container]].scope.slice(1);
  const part = view.graphs.find(({ key }) => key === scope) ?? view.graphs[0];
  return { graph: part.graph, key: part.key, op: -1 };
}

/**
 * A name without the scope whose box the operator stands in.
 *
 * @param {View} view
 * @param {number} node
 * @param {string} name
 */
function shortName(view, node, name) {
  const container = view.parent[node];
  if (container < 0 || view.kind[container] !== NODE.open) return name;
  const { scope } = view.groups[view.id[container]];
  const path = scope.slice(scope.lastIndexOf('\u0000') + 1);
  return name.startsWith(`${path}/`) ? name.slice(path.length + 1) : name;
}

/**
 * @param {View} view
 * @param {boolean} [awaited] whether types are still being looked for: room is left for them
 */
export function sizes(view, awaited = false) {
  for (let node = 0; node < view.count; node++) {
    sizeOf(view, node);
    view.reach[node] = view.w[node] / 2;
  }
  labelRoom(view, awaited ? AWAITED : 0);
}

/**
 * @param {View} view
 * @param {number} node
 */
function sizeOf(view, node) {
  const kind = view.kind[node];
  const { title, name } = nodeText(view, node);
  const titled = textWidth(title, METRICS.typeFont) * BOLD + 30;
  if (kind !== NODE.op) {
    const extra = kind === NODE.group || kind === NODE.open ? 36 : 0;
    view.w[node] = stepped(Math.min(Math.max(titled + extra, MIN), 320));
    view.h[node] = kind === NODE.group ? METRICS.group : isContainer(kind) ? METRICS.title : METRICS.pill;
    return;
  }
  const { offsets, items } = view.constants;
  const constants = Math.min(offsets[node + 1] - offsets[node], CONSTANT_LINES + 1);
  let width = Math.max(titled, Math.min(textWidth(name, METRICS.nameFont) + 20, NAME_MAX), MIN);
  for (let i = 0; i < Math.min(constants, CONSTANT_LINES); i++) {
    const label = view.labels[items[offsets[node] + i]];
    width = Math.max(width, Math.min(textWidth(label, METRICS.labelFont) + 28, 220));
  }
  view.w[node] = stepped(Math.min(width, 260));
  const lines = (name ? METRICS.line : 0) + constants * METRICS.constant;
  view.h[node] = METRICS.header + lines + (lines ? METRICS.foot : 0);
}

/**
 * Nodes are as wide as the labels of what leaves them, which stand below them side by side.
 *
 * @param {View} view
 * @param {number} unknown room for a label that is not known
 */
function labelRoom(view, unknown) {
  const { edges, labels, w } = view;
  const room = new Float64Array(view.count);
  const seen = new Uint8Array(edges.tensors);
  const widths = labels.map((label) => textWidth(label, METRICS.labelFont) + 10);
  for (let e = 0; e < edges.count; e++) {
    const label = edges.label[e];
    if ((label < 0 && !unknown) || seen[edges.tensor[e]]) continue;
    seen[edges.tensor[e]] = 1;
    // Of what is known by half, such as `f32`, the rest is still to come.
    room[edges.from[e]] += Math.max(unknown, widths[label] ?? 0);
  }
  for (let node = 0; node < view.count; node++) {
    if (isContainer(view.kind[node]) || room[node] > LABEL_MAX) continue;
    w[node] = Math.max(w[node], stepped(room[node]));
    view.reach[node] = stepped(Math.max(w[node] / 2, room[node]));
  }
}
