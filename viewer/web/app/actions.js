/** What can be done with an operator or a scope: the menu of the right button, and of the menu key. */

import { t } from './i18n.js';
import { copy, menu } from './widgets.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./types.js').Place} Place */
/** @typedef {import('./widgets.js').Item} Item */

/**
 * @param {App} app
 * @param {Place} place
 * @param {number} x
 * @param {number} y
 */
export function openMenu(app, place, x, y) {
  const graph = app.loaded(place.model, place.graph);
  if (!graph) return;
  const name = graph.names[place.id];
  app.select(place, { centre: false });
  const items = [{ text: name }, ...(place.model === 0 ? roles(app, place) : []), ...others(app, place, name)];
  menu(t('menu.label', { name }), items, x, y, app.paneOf(place.model)?.focusable ?? null);
}

/** @param {App} app @param {Place} place @returns {Item[]} */
function roles(app, place) {
  const { selecting } = app;
  const graph = app.loaded(0, place.graph);
  const { starts, ends } = selecting.here(place);
  const notStart = selecting.whyNotStart(place) ?? undefined;
  const notEnd = selecting.whyNotEnd(place) ?? undefined;
  const swapEnd = notEnd ? selecting.swappable(place, 'end') : null;
  const swapStart = notStart ? selecting.swappable(place, 'start') : null;
  const name = (/** @type {number} */ id) => graph?.names[id] ?? '';
  /** @type {(Item | false)[]} */
  const items = [
    { text: t('menu.start'), icon: 'start', key: 'S', why: notStart, run: () => selecting.start(place, false) },
    starts.length > 0 &&
      !starts.includes(place.id) &&
      !notStart && { text: t('menu.addstart'), icon: 'plus', key: '⇧S', run: () => selecting.start(place, true) },
    starts.includes(place.id) && { text: t('menu.unstart'), icon: 'minus', run: () => selecting.remove(place.id) },
    swapStart !== null && {
      text: t('menu.swapend', { name: name(swapStart) }),
      icon: 'undo',
      run: () => selecting.swap(place, 'start'),
    },
    { text: t('menu.end'), icon: 'end', key: 'E', why: notEnd, run: () => selecting.end(place, false) },
    ends.length > 0 &&
      !ends.includes(place.id) &&
      !notEnd && { text: t('menu.addend'), icon: 'plus', key: '⇧E', run: () => selecting.end(place, true) },
    ends.includes(place.id) && { text: t('menu.unend'), icon: 'minus', run: () => selecting.remove(place.id) },
    swapEnd !== null && {
      text: t('menu.swap', { name: name(swapEnd) }),
      icon: 'undo',
      run: () => selecting.swap(place, 'end'),
    },
  ];
  return items.filter((item) => item !== false);
}

/** @param {App} app @param {Place} place @param {string} name @returns {Item[]} */
function others(app, place, name) {
  const graph = app.loaded(place.model, place.graph);
  const pane = app.paneOf(place.model);
  const scope = pane?.scopeOf(place);
  const bodies = graph?.bodies[place.id] ?? [];
  /** @type {(Item | false | undefined)[]} */
  const items = [
    { text: t('menu.copy'), icon: 'copy', key: 'Ctrl+C', rule: true, run: () => void copy(name) },
    { text: t('menu.centre'), icon: 'centre', run: () => app.centre(place) },
    graph && {
      text: t('menu.sametype', { type: graph.typeName(place.id) }),
      icon: 'type',
      run: () => app.showType(place),
    },
    scope !== undefined && {
      text: t('menu.foldin', { scope: scope.label }),
      icon: 'fold',
      run: () => void pane?.toggle(scope.scope),
    },
    ...bodies.map(
      (body) =>
        /** @type {Item} */ ({
          text: t('menu.body', { name: body.name }),
          icon: 'unfold',
          run: () => void app.showGraph(body.key),
        }),
    ),
  ];
  return items.filter((item) => item !== false && item !== undefined);
}

/**
 * @param {App} app
 * @param {import('./pane.js').Pane} pane
 * @param {string} scope
 * @param {string} label
 * @param {number} x
 * @param {number} y
 */
export function openScopeMenu(app, pane, scope, label, x, y) {
  const open = pane.isOpen(scope);
  menu(
    t('menu.label', { name: label }),
    [
      { text: label },
      {
        text: t(open ? 'menu.fold' : 'menu.unfold'),
        icon: open ? 'fold' : 'unfold',
        key: 'Enter',
        run: () => void pane.toggle(scope),
      },
      { text: t('menu.copy'), icon: 'copy', run: () => void copy(label) },
    ],
    x,
    y,
    pane.focusable,
  );
}
