/** The one field for everything: it searches at every key, and takes a selection when the text is one. */

import { Latest, Refusal } from './api.js';
import { fill, h, quietly } from './dom.js';
import { t } from './i18n.js';
import { icon } from './icons.js';
import { firstChoice, neighbour, Rows, rowsOf } from './results.js';
import { matched, readQuery } from './search.js';
import { VirtualList } from './virtual.js';
import { button, complain } from './widgets.js';

/** @typedef {import('./results.js').Row} Row */
/** @typedef {import('./app.js').App} App */

const ROW = 30;
/** Milliseconds without a key before the server is asked too. */
const PAUSE = 200;

export class SearchField {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.query = readQuery('');
    /** @type {{ops: number[], text: string} | null} */
    this.selection = null;
    /** @type {number[]} */
    this.byAttribute = [];
    /** What is in graphs that are not on screen. @type {import('./types.js').Elsewhere[]} */
    this.elsewhere = [];
    this.rows = new Rows(false, 0, []);
    this.active = -1;
    /** Whether the user has marked a row: then later answers of the server leave the mark where it is. */
    this.moved = false;
    this.texts = new Latest();
    this.attributes = new Latest();
    this.askLater = quietly(() => void this.askServer(), PAUSE);
    this.field = h('input', {
      type: 'text',
      id: 'search',
      role: 'combobox',
      'aria-expanded': 'false',
      'aria-controls': 'results',
      'aria-autocomplete': 'list',
      'aria-haspopup': 'listbox',
      spellcheck: 'false',
      autocomplete: 'off',
      autocapitalize: 'off',
      'aria-label': t('search.label'),
      placeholder: t('search.placeholder'),
      'aria-keyshortcuts': '/',
      on: {
        input: () => this.typed(),
        keydown: (event) => this.key(event),
        focus: () => this.open(),
        blur: () => this.leave(),
      },
    });
    /** @type {VirtualList<Row>} */
    this.list = new VirtualList({
      height: ROW,
      draw: (row, at) => this.row(row, at),
      id: 'results',
      label: t('search.results'),
    });
    this.note = h('p', { class: 'results-note', role: 'status' });
    this.popup = h(
      'div',
      { class: 'results', hidden: true, on: { mousedown: (/** @type {Event} */ event) => event.preventDefault() } },
      this.note,
      this.list.element,
    );
    this.count = h('span', { class: 'hit-count', 'aria-live': 'polite' });
    this.steps = h(
      'span',
      { class: 'hit-steps', hidden: true },
      this.count,
      button({ icon: 'up', label: t('search.previous'), class: 'tool small' }, () => app.stepHit(-1)),
      button({ icon: 'down', label: t('search.next'), class: 'tool small' }, () => app.stepHit(1)),
      button({ icon: 'close', label: t('search.clear'), class: 'tool small' }, () => this.clear()),
    );
    this.element = h(
      'div',
      { class: 'search', role: 'search' },
      icon('search'),
      this.field,
      this.steps,
      h('kbd', { class: 'slash', text: '/' }),
      this.popup,
    );
  }

  /** What a search found is in step with the page. */
  update() {
    const { hits } = this.app.store.state;
    this.steps.hidden = !hits || hits.ids.length === 0;
    if (hits) this.count.textContent = t('search.position', { at: hits.at + 1, n: hits.ids.length });
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  clear() {
    this.field.value = '';
    this.typed();
    this.close();
    this.app.store.set({ hits: null });
  }

  typed() {
    this.query = readQuery(this.field.value);
    this.selection = null;
    this.byAttribute = [];
    this.elsewhere = [];
    this.texts.stop();
    this.attributes.stop();
    this.show();
    this.open();
    if (this.query.text) this.askLater();
    else this.askLater.cancel();
  }

  /** Attributes and graphs that nobody opened are known to the server alone, and so is the language. */
  async askServer() {
    const { query } = this;
    const model = this.app.active.model;
    const graph = this.app.active.key;
    if (query.kind === null && model === 0) void this.askSelection(query.text);
    if (query.needle.length < 2 || query.problem) return;
    try {
      /** @type {{ids: number[], elsewhere: import('./types.js').Elsewhere[]} | null} */
      const answer = await this.attributes.ask('/api/search', {
        model,
        graph,
        query: query.needle,
        kind: query.kind ?? '',
      });
      if (!answer || this.query !== query) return;
      this.byAttribute = answer.ids;
      this.elsewhere = answer.elsewhere;
      this.show(true);
    } catch (error) {
      complain(error);
    }
  }

  /** @param {string} text */
  async askSelection(text) {
    try {
      const answer = /** @type {any} */ (await this.texts.ask('/api/select', { text }));
      if (!answer?.ok || this.query.text !== text || !answer.ops.length) return;
      this.selection = { ops: answer.ops, text: answer.text };
      this.show(true);
    } catch (error) {
      // What is no selection is a search; only a lost server is worth a word.
      if (!(error instanceof Refusal) || error.code === 'unreachable') complain(error);
    }
  }

  /** @param {boolean} [more]  the server added to what is shown: what the user has marked stays marked */
  show(more = false) {
    const before = more ? this.rows.at(this.active) : undefined;
    const moved = more && this.moved;
    this.rows = rowsOf(this.app.active.index, this.query, this.selection, this.byAttribute, this.elsewhere.length);
    const { rows } = this;
    const scroll = more ? this.list.element.scrollTop : 0;
    this.list.show(rows);
    this.list.element.scrollTop = scroll;
    this.moved = moved;
    const same = moved && before ? rows.find(before) : -1;
    this.active = same >= 0 ? same : firstChoice(rows, this.query);
    this.say(rows);
    this.list.element.style.height = `${Math.min(rows.length * ROW, 420)}px`;
    this.mark();
  }

  /** @param {Rows} rows */
  say(rows) {
    const { query } = this;
    if (query.problem) this.note.textContent = t('search.badregex', { why: query.problem });
    else if (!query.text) this.note.textContent = t('search.hint');
    else if (!rows.length) this.note.textContent = t('search.none', { query: query.text });
    else this.note.textContent = '';
    this.note.hidden = this.note.textContent === '';
  }

  mark() {
    this.list.paint();
    const id = this.active >= 0 ? `result-${this.active}` : '';
    if (id) this.field.setAttribute('aria-activedescendant', id);
    else this.field.removeAttribute('aria-activedescendant');
  }

  open() {
    if (!this.popup.hidden) return;
    this.popup.hidden = false;
    this.field.setAttribute('aria-expanded', 'true');
    this.show();
  }

  leave() {
    // A click into the list keeps the focus here; whatever else takes it closes the list.
    this.close();
  }

  close() {
    this.popup.hidden = true;
    this.field.setAttribute('aria-expanded', 'false');
    this.field.removeAttribute('aria-activedescendant');
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.isComposing) return;
    const { rows } = this;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      this.open();
      this.active = neighbour(rows, this.active, event.key === 'ArrowDown' ? 1 : -1);
      this.moved = true;
      this.list.reveal(this.active);
      this.mark();
    } else if (event.key === 'Enter') void this.enter(event.shiftKey);
    else if (event.key === 'Escape') {
      if (this.field.value) this.clear();
      else this.app.focusGraph();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {boolean} back */
  async enter(back) {
    const { hits } = this.app.store.state;
    if (this.popup.hidden && hits) return this.app.stepHit(back ? -1 : 1);
    this.askLater.cancel();
    await this.askServerNow();
    if (!this.rows.length) await this.askServer();
    const row = this.rows.at(this.active);
    if (row) this.choose(row);
  }

  /** A sentence entered faster than the pause is asked about before it is taken. */
  async askServerNow() {
    if (this.selection || this.moved || this.query.kind !== null || !this.query.text) return;
    if (this.rows.at(this.active) && !/\s/.test(this.query.text)) return;
    await this.askSelection(this.query.text);
  }

  /** @param {Row} row */
  choose(row) {
    const { app } = this;
    const place = { model: app.active.model, graph: app.active.key };
    this.close();
    if (row.kind === 'select') {
      void app.selecting.adopt(this.query.text).then(() => app.goToCut());
      return;
    }
    if (row.kind === 'elsewhere') {
      const { graph, op: id } = this.elsewhere[row.at];
      app.showHits([], -1, false);
      void app.showGraph(graph).then(() => app.select({ ...place, graph, id }));
      return app.focusGraph();
    }
    const ids = this.idsOf(row);
    if (!ids.length) return;
    const target = row.kind === 'type' ? ids[0] : this.idOf(row);
    app.showHits(ids, target, row.kind === 'type');
    app.select({ ...place, id: target });
    app.focusGraph();
  }

  /** @param {Row} row */
  idOf(row) {
    if (row.kind !== 'tensor') return row.at;
    const { tensors, edges } = this.app.active.graph.columns;
    const maker = tensors?.op[row.at] ?? -1;
    return maker >= 0 ? maker : (edges.to[edges.from.indexOf(maker)] ?? 0);
  }

  /** All hits of the kind that was chosen, to step through. @param {Row} row */
  idsOf(row) {
    const { index } = this.app.active;
    if (row.kind === 'type') return index.ofType.get(row.at) ?? [];
    if (row.kind === 'select' || row.kind === 'head' || row.kind === 'elsewhere') return [];
    const places = this.rows.of(row.kind);
    return row.kind === 'tensor' ? [...new Set(places.map((at) => this.idOf({ kind: 'tensor', at })))] : places;
  }

  /** @param {Row} row @param {number} at @returns {HTMLElement} */
  row(row, at) {
    if (row.kind === 'head') {
      const words = {
        type: t('search.group.type'),
        op: t('search.group.op'),
        tensor: t('search.group.tensor'),
        attr: t('search.group.attr'),
        elsewhere: t('search.group.elsewhere'),
      };
      return h(
        'div',
        { class: 'result-head', role: 'presentation' },
        words[row.group ?? 'op'],
        h('span', { class: 'count', text: row.at.toLocaleString() }),
      );
    }
    const made = h('div', {
      class: `result${at === this.active ? ' active' : ''}`,
      role: 'option',
      id: `result-${at}`,
      'aria-selected': String(at === this.active),
      'aria-setsize': String(this.rows.length),
      'aria-posinset': String(at + 1),
      on: { click: () => this.choose(row), mousemove: () => this.point(at) },
    });
    fill(made, ...this.words(row));
    return made;
  }

  /** @param {number} at */
  point(at) {
    if (at === this.active) return;
    this.active = at;
    this.moved = true;
    this.mark();
  }

  /** @param {Row} row @returns {(Node | string | null)[]} */
  words(row) {
    const { graph, index } = this.app.active;
    if (row.kind === 'select') {
      return [
        icon('select'),
        h('span', { class: 'result-name' }, t('search.select', { n: row.at })),
        h('span', { class: 'result-type', text: t('search.select.hint') }),
      ];
    }
    if (row.kind === 'type') {
      const word = graph.columns.types.words[row.at];
      return [
        icon('type'),
        this.bold(word),
        h('span', { class: 'result-type', text: t('search.type.count', { n: index.ofType.get(row.at)?.length ?? 0 }) }),
      ];
    }
    if (row.kind === 'tensor') {
      const maker = graph.columns.tensors?.op[row.at] ?? -1;
      const of = maker >= 0 ? t('search.of', { op: graph.names[maker] }) : t('info.graphinput');
      return [
        icon('tensor'),
        this.bold(graph.columns.tensors?.names[row.at] ?? ''),
        h('span', { class: 'result-type', text: of }),
      ];
    }
    if (row.kind === 'elsewhere') {
      const { graph: key, name, type } = this.elsewhere[row.at];
      const of = `${type} · ${this.app.graphName(key)}`;
      return [icon('op'), this.bold(name), h('span', { class: 'result-type', text: of })];
    }
    return [
      icon(row.kind === 'attr' ? 'attr' : 'op'),
      this.bold(graph.names[row.at]),
      h('span', { class: 'result-type', text: graph.typeName(row.at) }),
    ];
  }

  /** @param {string} name */
  bold(name) {
    const part = matched(name, this.query);
    if (!part) return h('span', { class: 'result-name', title: name, text: name });
    return h(
      'span',
      { class: 'result-name', title: name },
      name.slice(0, part[0]),
      h('b', { text: name.slice(part[0], part[1]) }),
      name.slice(part[1]),
    );
  }
}
