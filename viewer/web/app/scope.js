/** Name scopes under the user's hand: which has the focus, and what of it a cut starts and ends at. */

import { t } from './i18n.js';
import { border, contents, locate, NODE, scopeParts } from '../engine/engine.js';

/** @typedef {import('../engine/types.js').Group} Group */
/** @typedef {import('./pane.js').Pane} Pane */
/** @typedef {import('./types.js').Spot} Spot */

/** The scope (or the body), folded or open, that has the focus of the keys. @param {Pane} pane @returns {Group | null} */
export function focusedGroup({ view, canvas: { focus } }) {
  if (!view || focus < 0) return null;
  const kind = view.kind[focus];
  return kind === NODE.group || kind === NODE.open ? view.groups[view.id[focus]] : null;
}

/** What a cut starts and ends at for a scope; none for a body, which is a graph of its own. @param {Pane} pane @param {Group} group @returns {Spot | null} */
export function scopeSpot(pane, { scope, op }) {
  if (op >= 0 || !pane.view) return null;
  const { key, path } = scopeParts(scope);
  const part = pane.view.graphs.find((one) => one.key === key);
  if (!part) return null;
  const { entries, exits } = border(part.graph, path);
  return { model: pane.model, graph: key === '' ? pane.key : key, name: path, starts: entries, ends: exits };
}

/** The scope that has the focus of the keys, else the chosen operator. @param {import('./app.js').App} app @returns {Spot | null} */
export function focusedSpot(app) {
  const group = app.active?.focused ? focusedGroup(app.active) : null;
  if (group) return scopeSpot(app.active, group);
  const { selected } = app.store.state;
  return selected && app.selecting.spot(selected);
}

/**
 * A scope or a body as the panel shows it.
 * @typedef {object} ShownScope
 * @property {Pane} pane
 * @property {Group} group
 * @property {string} name
 * @property {string} type  what it is, in words
 * @property {Spot | null} spot  what Start and End act on
 * @property {ReturnType<typeof contents> | null} contents  of a scope
 * @property {{key: string, name: string, owner: number} | null} body
 * @property {import('../engine/engine.js').Graph} graph  that its operators lie in; of a body the one around it
 * @property {string} key  of that graph
 */

/** @param {import('./app.js').App} app @param {{model: number, scope: string}} which @returns {ShownScope | null} none while it is not drawn */
export function shownScope(app, { model, scope }) {
  const pane = app.paneOf(model);
  const group = pane?.view?.groups.find((one) => one.scope === scope);
  if (!pane?.view || !group) return null;
  if (group.op >= 0) return shownBody(pane, pane.view, group);
  const { key, path } = scopeParts(scope);
  const graph = pane.view.graphs.find((one) => one.key === key)?.graph;
  if (!graph) return null;
  const held = contents(graph, path);
  const spot = scopeSpot(pane, group);
  return {
    pane,
    group,
    name: path,
    type: t('info.scope', { n: held.count }),
    spot: model === 0 ? spot : null,
    contents: held,
    body: null,
    graph,
    key: key === '' ? pane.key : key,
  };
}

/** @param {Pane} pane @param {import('../engine/types.js').View} view @param {Group} group @returns {ShownScope} */
function shownBody(pane, view, group) {
  const { graph, key, op } = locate(view, group.op);
  const inner = scopeParts(group.scope).key;
  const name = graph.bodies[op]?.find((one) => one.key === inner)?.name ?? group.label;
  const owner = graph.names[op];
  return {
    pane,
    group,
    name: `${owner} › ${name}`,
    type: t('info.body', { name: owner, n: group.count }),
    spot: null,
    contents: null,
    body: { key: inner, name, owner: op },
    graph,
    key: key === '' ? pane.key : key,
  };
}

/** The operator that an open body belongs to; none for a name scope. @param {Pane} pane @param {string} scope */
export function ownerOf(pane, scope) {
  const group = pane.view?.groups.find((one) => one.scope === scope);
  return group && group.op >= 0 ? pane.placeOf(group.op) : null;
}
