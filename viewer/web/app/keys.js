/** Keys that work anywhere on the page, but never while somebody types. Keys of the graph itself are the engine's. */

import { openMenu, openScopeMenu } from './actions.js';
import { openHelp } from './dialogs.js';
import { typing } from './dom.js';
import { openExport } from './export.js';
import { t } from './i18n.js';
import { focusedGroup, focusedSpot } from './scope.js';
import { copy, notify } from './widgets.js';

/** @typedef {import('./app.js').App} App */

/** @param {App} app @param {{focus: () => void}} search */
export function listenToKeys(app, search) {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || document.querySelector('dialog[open]')) return;
    if (typing(event.target)) return fromField(app, event);
    if (withControl(app, event) || (!event.ctrlKey && !event.metaKey && !event.altKey && plain(app, search, event)))
      event.preventDefault();
  });
}

/** @param {App} app @param {KeyboardEvent} event */
function fromField(app, event) {
  if (event.key === 'Escape') app.focusGraph();
  else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) openExport(app);
  else return;
  event.preventDefault();
}

/** @param {App} app @param {KeyboardEvent} event @returns {boolean} whether the key meant something */
function withControl(app, event) {
  if (!event.ctrlKey && !event.metaKey) return false;
  const { selected } = app.store.state;
  const key = event.key.toLowerCase();
  if (key === 'enter') openExport(app);
  else if (key === 'z') app.selecting.undo();
  else if (key === 'c' && selected && !getSelection()?.toString()) {
    const graph = app.loaded(selected.model, selected.graph);
    if (graph) void copy(graph.names[selected.id]);
  } else return false;
  return true;
}

/** @param {App} app @param {{focus: () => void}} search @param {KeyboardEvent} event */
function plain(app, search, event) {
  const { selected, overlay, hits } = app.store.state;
  const chosen = (/** @type {(place: import('./types.js').Place) => void} */ use) =>
    selected ? use(selected) : notify(t('refuse.none'));
  const spotted = (/** @type {(spot: import('./types.js').Spot) => void} */ use) => {
    const spot = focusedSpot(app);
    if (spot) use(spot);
    else notify(t('refuse.none'));
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    '/': () => search.focus(),
    '?': () => openHelp(),
    s: () => spotted((spot) => app.selecting.start(spot, event.shiftKey)),
    e: () => spotted((spot) => app.selecting.end(spot, event.shiftKey)),
    x: () => app.selecting.clear(),
    f: () => document.getElementById('find')?.focus(),
    m: () => openFocused(app) || chosen((place) => menuAt(app, place)),
    n: () => (overlay.on && !hits ? app.compare?.step(event.shiftKey ? -1 : 1) : app.stepHit(event.shiftKey ? -1 : 1)),
    contextmenu: () => openFocused(app) || chosen((place) => menuAt(app, place)),
    escape: () => (hits ? app.store.set({ hits: null }) : app.unselect()),
  };
  const run = keys[event.key.toLowerCase()];
  run?.();
  return run !== undefined;
}

/** The menu of the scope that has the focus of the keys. @param {App} app @returns {boolean} whether there is one */
function openFocused({ active }) {
  const group = active?.focused ? focusedGroup(active) : null;
  if (!group) return false;
  const box = active.canvas.boxOf(group.node);
  openScopeMenu(active, group, box.x + box.w / 2, box.y + Math.min(box.h, 40));
  return true;
}

/** @param {App} app @param {import('./types.js').Place} place */
function menuAt(app, place) {
  const box = app.paneOf(place.model)?.boxOf(place);
  openMenu(app, place, box ? box.x + box.w : innerWidth / 2, box ? box.y : innerHeight / 2);
}
