/** One graph on screen: folds it, has it laid out, draws it, and tells the app what the user points at. */

import { openMenu, openScopeMenu } from './actions.js';
import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { choiceMarks, marked } from './marking.js';
import { focusedGroup, ownerOf } from './scope.js';
import { keepInStep, keptInSight, stayCentred } from './step.js';
import { button, complain } from './widgets.js';
import {
  bodyScope,
  Canvas,
  defaultOpen,
  idOf,
  Layouter,
  locate,
  NODE,
  sameShape,
  scopesAround,
  SearchIndex,
  visible,
} from '../engine/engine.js';

/** @typedef {import('../engine/engine.js').Graph} Graph */
/** @typedef {import('../engine/types.js').View} View */
/** @typedef {import('../engine/types.js').Layout} Layout */
/** @typedef {import('../engine/types.js').Marks} Marks */
/** @typedef {import('./types.js').Place} Place */

/** Milliseconds after which a layout is said to be under way. */
const PATIENCE = 250;
/** Milliseconds after the first picture. */
const IDLE = 300;

export class Pane {
  /** @param {import('./app.js').App} app @param {number} model @param {HTMLElement} stage */
  constructor(app, model, stage) {
    this.app = app;
    this.model = model;
    this.key = '';
    /** @type {Graph} */
    this.graph = /** @type {any} */ (null);
    /** @type {SearchIndex} */
    this.index = /** @type {any} */ (null);
    /** @type {Set<string>} */
    this.open = new Set();
    this.constants = false;
    /** @type {Map<string, Graph>} */
    this.bodies = new Map();
    /** @type {View | null} */
    this.view = null;
    /** @type {Layout | null} */
    this.layout = null;
    /** @type {Marks} */
    this.marks = {};
    /** The scope that has the focus of the keys, if one has it: new marks leave it there. */
    this.focused = '';
    /** @type {{graph: Graph, ids: Map<string, number>} | null} */
    this.named = null;
    this.layouter = new Layouter();
    this.host = h('div', { class: 'pane-canvas' });
    this.title = h('nav', { class: 'pane-title', hidden: true });
    this.tools = h('div', { class: 'pane-tools', role: 'toolbar' });
    this.busy = h('div', { class: 'pane-busy', role: 'status', hidden: true });
    this.element = h(
      'div',
      { class: 'pane', role: 'group', 'data-model': String(model) },
      this.host,
      this.title,
      this.tools,
      this.busy,
    );
    stage.append(this.element);
    this.canvas = new Canvas(this.host);
    this.canvas.onSelect = (id) => this.selected(id);
    this.canvas.onMenu = (id, x, y) => this.menu(id, x, y);
    this.canvas.onOpen = (scopes) => void this.toggle(...scopes);
    this.canvas.onView = () => this.viewed();
    this.canvas.onKey = (event) => this.keyed(event);
    this.resized = stayCentred(this);
    this.stop = app.store.on(['language', 'pair'], () => this.words());
    this.element.addEventListener('focusin', () => {
      app.activeAt = app.panes.indexOf(this);
    });
    this.words();
  }

  /** What takes the focus for the graph: its tree for keyboards and screen readers. @returns {HTMLElement} */
  get focusable() {
    return this.canvas.mirror.tree;
  }

  /** How many operators have numbers, bodies included. */
  get ids() {
    return this.view?.ids ?? this.graph?.count ?? 0;
  }

  words() {
    const label = t(this.model === 0 ? 'stage.label' : 'stage.second');
    this.element.setAttribute('aria-label', label);
    this.focusable.setAttribute('aria-label', label);
    this.canvas.words = {
      start: t('picture.start'),
      end: t('picture.end'),
      operators: (n) => t('app.operators', { n }),
      readers: (n) => t('picture.readers', { n }),
    };
    this.canvas.invalidate();
    this.tools.setAttribute('aria-label', t('stage.label'));
    this.constantsButton = button(
      { icon: 'constants', label: t('stage.constants'), pressed: this.constants },
      () => void this.showConstants(!this.constants),
    );
    const scoped = this.graph && this.graph.scopes.paths.length > 1;
    fill(
      this.tools,
      button({ icon: 'plus', label: t('stage.zoomin') }, () => this.canvas.zoomAt(1.25)),
      button({ icon: 'minus', label: t('stage.zoomout') }, () => this.canvas.zoomAt(0.8)),
      button({ icon: 'fit', label: t('stage.fit') }, () => this.canvas.fit()),
      button({ icon: 'top', label: t('stage.top') }, () => this.canvas.home()),
      scoped && button({ icon: 'fold', label: t('stage.fold') }, () => void this.foldAll()),
      scoped && button({ icon: 'unfold', label: t('stage.unfold') }, () => void this.unfoldAll()),
      this.constantsButton,
    );
    this.showTitle();
  }

  /** Which graph this is, when it is not plain: the second model, or a body. */
  showTitle() {
    const { session, pair } = this.app.store.state;
    const model = session?.models[this.model];
    this.title.hidden = this.key === '' && !pair;
    this.title.setAttribute('aria-label', `${t('stage.path')} ${model?.name ?? ''}`);
    const sides = { offline: t('app.side.offline'), other: t('app.side.other') };
    const side = sides[/** @type {keyof typeof sides} */ (model?.side)];
    const root =
      this.key === ''
        ? h('span', { text: model?.name ?? '' })
        : button({ text: t('stage.main'), class: 'link' }, () => void this.app.showGraph(''));
    fill(
      this.title,
      root,
      this.key !== '' && '›',
      this.key !== '' && h('span', { class: 'mono', text: this.app.graphName(this.key) }),
      side && h('span', { class: 'hint', text: side }),
    );
  }

  /** Shows another graph of the model: "" is the main one. @param {string} key */
  async show(key) {
    const graph = await this.app.fetchGraph(this.model, key);
    this.key = key;
    this.graph = graph;
    this.index = new SearchIndex(graph);
    this.open = defaultOpen(graph);
    this.bodies = new Map();
    const offline = this.app.store.state.session?.offline;
    const { fused, dumped } = offline ? graph.columns : { fused: [], dumped: [] };
    const has = dumped?.length ? new Uint8Array(graph.count) : null;
    for (const op of dumped ?? []) if (has) has[op] = 1;
    this.marks = { fused, dumped: has, selected: -1, hit: -1 };
    this.words();
    await this.redraw();
    this.canvas.setMarks(this.marks);
    this.canvas.home();
    // The texts that the first key will search, made while nobody waits.
    const { index } = this;
    setTimeout(
      () => ['name', 'type', 'tensor'].forEach((kind) => index.of(/** @type {"name" | "type" | "tensor"} */ (kind))),
      IDLE,
    );
  }

  /** Takes the same graph anew, with the types that were found meanwhile. */
  async retype() {
    const bodies = [...this.bodies.keys()];
    this.graph = await this.app.fetchGraph(this.model, this.key);
    for (const key of bodies) this.bodies.set(key, await this.app.fetchGraph(this.model, key));
    this.index = new SearchIndex(this.graph);
    await this.redraw(this.keep(), true);
  }

  /** What stays where it is when the drawing changes. */
  keep() {
    return keptInSight(this);
  }

  /**
   * Folds, lays out and draws anew.
   * @param {number | string} [keep]  an id or a scope that stays where it is on the screen
   * @param {boolean} [still]  nothing moves, if what is drawn differs in what is written at most
   */
  async redraw(keep, still = false) {
    const { open, constants, bodies } = this;
    const awaited = this.model === 0 && this.app.store.state.session?.typed === false;
    const view = visible(this.graph, { open, constants, bodies, awaited });
    const stays = still && this.view && this.layout && sameShape(this.view, view) ? this.layout : null;
    const waiting = setTimeout(() => {
      this.busy.textContent = t('app.drawing', { n: view.count });
      this.busy.hidden = false;
    }, PATIENCE);
    try {
      const layout = stays ?? (await this.layouter.layout(view));
      this.view = view;
      this.layout = layout;
      this.canvas.setScene(view, layout, { keep: stays ? undefined : keep });
      if (this.focused) {
        this.canvas.focusOn(this.focused);
        this.app.store.set({ scope: { model: this.model, scope: this.focused } });
      }
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
    } finally {
      clearTimeout(waiting);
      this.busy.hidden = true;
    }
  }

  /** @param {Marks} marks  what changes; the rest stays */
  mark(marks) {
    if (marks.selected !== undefined) this.focused = '';
    this.marks = { ...this.marks, ...marks };
    this.canvas.setMarks(this.marks);
    if (this.focused) this.canvas.focusOn(this.focused);
  }

  /** Where a drawn operator belongs. @param {number} id @returns {Place} */
  placeOf(id) {
    if (!this.view) return { model: this.model, graph: this.key, id };
    const { key, op } = locate(this.view, id);
    return { model: this.model, graph: key === '' ? this.key : key, id: op };
  }

  /** The number that an operator is drawn under, or -1. @param {Place} place */
  idOf(place) {
    if (place.graph === this.key) return place.id;
    return this.view ? idOf(this.view, place.graph, place.id) : -1;
  }

  /** Unfolds what hides an operator, and shows it. @param {Place} place @param {boolean} centre */
  async choose(place, centre) {
    if (this.idOf(place) < 0) await this.show(place.graph);
    const id = this.idOf(place);
    this.mark({ selected: id });
    const { view } = this;
    if (!view || id < 0) return;
    const node = view.nodeOf[id];
    const hidden = node < 0 || view.kind[node] === NODE.group;
    if (hidden) {
      for (const scope of scopesAround(this.graph, this.bodies, id)) this.open.add(scope);
      await this.redraw(id);
    }
    if (centre) this.canvas.centre(id);
  }

  /** The operator of the same name in this pane, or -1. @param {Graph} graph @param {number} id */
  counterpart(graph, id) {
    const name = graph.names[id];
    const same = this.names().get(name);
    if (same !== undefined) return same;
    const fused = graph.columns.fused?.find((group) => group.ops.includes(id));
    const there = fused && this.names().get(fused.name);
    return there ?? -1;
  }

  names() {
    if (this.named?.graph !== this.graph) {
      this.named = { graph: this.graph, ids: new Map(this.graph.names.map((name, id) => [name, id])) };
    }
    return this.named.ids;
  }

  /** @param {number} id */
  selected(id) {
    // A group may have the focus of the keys: the canvas knows, and must not be told that nothing is selected.
    this.focused = focusedGroup(this)?.scope ?? '';
    this.marks = { ...this.marks, selected: id };
    const scope = this.focused ? { model: this.model, scope: this.focused } : null;
    if (id < 0) return this.app.store.set({ selected: null, scope });
    this.app.select(this.placeOf(id), { centre: false });
  }

  /** @param {number} id  -1 for what is no operator @param {number} x @param {number} y */
  menu(id, x, y) {
    if (id >= 0) return openMenu(this.app, this.placeOf(id), x, y);
    const group = focusedGroup(this);
    if (group) openScopeMenu(this, group, x, y);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key is dealt with */
  keyed(event) {
    if (event.key === 'Escape') this.app.store.set({ hits: null });
    return false;
  }

  /** The innermost scope around an operator that is open. @param {Place} place */
  scopeOf(place) {
    const id = this.idOf(place);
    if (!this.view || id < 0) return undefined;
    const parent = this.view.parent[this.view.nodeOf[id]];
    return this.view.groups.find((group) => group.node === parent && group.op < 0);
  }

  /** @param {string} scope */
  isOpen(scope) {
    return this.open.has(scope);
  }

  /** Unfolds scopes or bodies; folds them where all of them are unfolded. @param {string[]} scopes */
  async toggle(...scopes) {
    const shut = scopes.filter((scope) => !this.open.has(scope));
    const [scope] = shut.length ? shut : scopes;
    if (scope === undefined) return;
    try {
      const owner = shut.length ? null : ownerOf(this, scope);
      for (const one of shut) await this.fetchBody(one);
      for (const one of scopes) shut.length ? this.open.add(one) : this.open.delete(one);
      this.focused = scope;
      await this.redraw(scope);
      if (owner) this.app.select(owner, { centre: false });
      this.app.store.set({ drawn: this.app.store.state.drawn + 1 });
    } catch (error) {
      complain(error);
    }
  }

  /** @param {string} scope */
  async fetchBody(scope) {
    for (const graph of [this.graph, ...this.bodies.values()]) {
      for (const body of Object.values(graph.bodies).flat()) {
        if (bodyScope(body.key) !== scope || this.bodies.has(body.key)) continue;
        this.bodies.set(body.key, await this.app.fetchGraph(this.model, body.key));
        return;
      }
    }
  }

  async foldAll() {
    this.open = new Set();
    await this.redraw(this.keep());
    this.canvas.home();
  }

  async unfoldAll() {
    this.open = new Set(this.graph.scopes.paths);
    await this.redraw(this.keep());
  }

  /** @param {boolean} shown */
  async showConstants(shown) {
    this.constants = shown;
    this.constantsButton?.setAttribute('aria-pressed', String(shown));
    await this.redraw(this.keep());
  }

  /** @param {import('./choice.js').Choice} choice */
  markChoice(choice) {
    if (this.graph) this.mark(choiceMarks(this, choice));
  }

  /** Shows the choice made in another pane. @param {Pane} other @param {import('./choice.js').Choice} choice */
  mirrorChoice(other, choice) {
    const ops = choice.chosen?.ops ?? [];
    const ids = ops.map((op) => this.counterpart(other.graph, op)).filter((id) => id >= 0);
    this.mark({ between: ids.length ? marked(this.ids, ids) : null });
  }

  /** Where an operator is on the page, in its pixels. @param {Place} place */
  boxOf(place) {
    const id = this.idOf(place);
    return id < 0 ? null : this.canvas.nodeBox(id);
  }

  viewed() {
    this.app.views?.status.showZoom(this.canvas.viewport.zoom);
    const other = this.app.panes.find((pane) => pane !== this);
    if (other) keepInStep(this, other);
  }

  /** @param {"light" | "dark"} theme */
  themed(theme) {
    this.canvas.setTheme(theme);
  }

  remove() {
    this.stop();
    this.resized.disconnect();
    this.layouter.close();
    this.canvas.destroy();
    this.element.remove();
  }
}
