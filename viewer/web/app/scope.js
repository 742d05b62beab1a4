/** Name scopes under the user's hand: which has the focus, and what of it a cut starts and ends at. */

import { border, NODE, scopeParts } from '../engine/engine.js';

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
