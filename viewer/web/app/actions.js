/** What can be done with an operator or a scope: the menu of the right button, and of the menu key. */

import { t } from './i18n.js';
import { scopeSpot } from './scope.js';
import { copy, menu } from './widgets.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('../engine/types.js').Group} Group */
/** @typedef {import('./types.js').Place} Place */
/** @typedef {import('./types.js').Spot} Spot */
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
  const items = [{ text: name }, ...(place.model === 0 ? roles(app, app.selecting.spot(place)) : []), ...others(app, place, name)];
  menu(t('menu.label', { name }), items, x, y, app.paneOf(place.model)?.focusable ?? null);
}

/** @param {App} app @param {Spot} spot @returns {Item[]} */
function roles(app, spot) {
  const { selecting } = app;
  const graph = app.loaded(0, spot.graph);
  const { starts, ends } = selecting.here(spot);
  const notStart = selecting.whyNotStart(spot) ?? undefined;
  const notEnd = selecting.whyNotEnd(spot) ?? undefined;
  const swapEnd = notEnd ? selecting.swappable(spot, 'end') : null;
  const swapStart = notStart ? selecting.swappable(spot, 'start') : null;
  const isStart = spot.starts.some((id) => starts.includes(id));
  const isEnd = spot.ends.some((id) => ends.includes(id));
  const name = (/** @type {number} */ id) => graph?.names[id] ?? '';
  /** @type {(Item | false)[]} */
  const items = [
    { text: t('menu.start'), icon: 'start', key: 'S', why: notStart, run: () => selecting.start(spot, false) },
    starts.length > 0 &&
      !isStart &&
      !notStart && { text: t('menu.addstart'), icon: 'plus', key: '⇧S', run: () => selecting.start(spot, true) },
    isStart && { text: t('menu.unstart'), icon: 'minus', run: () => selecting.remove('start', spot.starts) },
    swapStart !== null && {
      text: t('menu.swapend', { name: name(swapStart) }),
      icon: 'undo',
      run: () => selecting.swap(spot, 'start'),
    },
    { text: t('menu.end'), icon: 'end', key: 'E', why: notEnd, run: () => selecting.end(spot, false) },
    ends.length > 0 &&
      !isEnd &&
      !notEnd && { text: t('menu.addend'), icon: 'plus', key: '⇧E', run: () => selecting.end(spot, true) },
    isEnd && { text: t('menu.unend'), icon: 'minus', run: () => selecting.remove('end', spot.ends) },
    swapEnd !== null && {
      text: t('menu.swap', { name: name(swapEnd) }),
      icon: 'undo',
      run: () => selecting.swap(spot, 'end'),
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
 * @param {import('./pane.js').Pane} pane
 * @param {Group} group
 * @param {number} x
 * @param {number} y
 */
export function openScopeMenu(pane, group, x, y) {
  const { app } = pane;
  const open = pane.isOpen(group.scope);
  const spot = pane.model === 0 ? scopeSpot(pane, group) : null;
  const name = spot?.name ?? group.label;
  menu(
    t('menu.label', { name }),
    [
      { text: name },
      ...(spot ? roles(app, spot) : []),
      {
        text: t(open ? 'menu.fold' : 'menu.unfold'),
        icon: open ? 'fold' : 'unfold',
        key: 'Enter',
        rule: spot !== null,
        run: () => void pane.toggle(group.scope),
      },
      { text: t('menu.copy'), icon: 'copy', run: () => void copy(name) },
    ],
    x,
    y,
    pane.focusable,
  );
}
