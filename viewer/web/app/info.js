/** The panel on the right: everything about the chosen operator, in sections that fold (rows S3 and S6). */

import { Latest } from './api.js';
import { fill, h, said } from './dom.js';
import { Find } from './find.js';
import { t } from './i18n.js';
import { sectionsOf } from './sections.js';
import { button, copy } from './widgets.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./types.js').OpInfo} OpInfo */
/** @typedef {import('./types.js').Place} Place */

export class InfoPanel {
  /** @param {HTMLElement} element @param {App} app */
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.questions = new Latest();
    /** Sections that the user closed stay closed from operator to operator. @type {Set<string>} */
    this.closed = new Set(['record']);
    /** @type {{place: Place, info: OpInfo} | null} */
    this.shown = null;
    this.build();
    app.store.on(['selected'], (state) => void this.look(state.selected));
    app.store.on(['choice'], () => this.updateRoles());
    app.store.on(['showInfo'], (state) => {
      element.hidden = !state.showInfo;
    });
    app.store.on(['language'], () => {
      this.build();
      if (this.shown) this.show(this.shown.place, this.shown.info);
    });
  }

  build() {
    this.element.setAttribute('aria-label', t('info.label'));
    this.body = h('div', { class: 'panel-body', tabindex: '0', role: 'group', 'aria-label': t('info.label') });
    this.find = new Find(() => this.sections ?? h('div'));
    this.head = h('div', { class: 'op-head' });
    this.tools = h(
      'div',
      { class: 'info-tools', hidden: true },
      this.find.element,
      button({ icon: 'expand', label: t('info.expand'), class: 'tool small' }, () => this.foldAll(true)),
      button({ icon: 'collapse', label: t('info.collapse'), class: 'tool small' }, () => this.foldAll(false)),
    );
    fill(
      this.element,
      h('header', { class: 'panel-head' }, h('h2', { text: t('info.label') })),
      this.head,
      this.tools,
      this.body,
    );
    this.empty();
  }

  empty() {
    if (this.tools) this.tools.hidden = true;
    if (this.head) fill(this.head);
    if (this.body)
      fill(
        this.body,
        h('p', { class: 'hint', text: t('info.empty') }),
        h('p', { class: 'hint', text: t('info.empty.keys') }),
      );
  }

  /** @param {Place | null} place */
  async look(place) {
    this.questions.stop();
    if (!place) {
      this.shown = null;
      return this.empty();
    }
    // The name is known here: the click is answered before the server is.
    this.title(place, null);
    if (!this.body || !this.tools) return;
    if (!this.shown) fill(this.body, h('p', { class: 'hint', text: t('info.loading') }));
    this.body.classList.add('stale');
    try {
      const info = await this.questions.ask('/api/op', { model: place.model, graph: place.graph, op: place.id });
      if (info) this.show(place, /** @type {OpInfo} */ (info));
    } catch (error) {
      this.shown = null;
      this.body.classList.remove('stale');
      const why = error instanceof Error ? error.message : String(error);
      fill(
        this.body,
        h('p', { class: 'hint', text: t('info.failed') }),
        h('p', { class: 'problem-line' }, ...said(why === 'unreachable' ? t('app.unreachable') : why)),
      );
    }
  }

  /** @param {Place} place @param {OpInfo | null} info */
  title(place, info) {
    if (!this.head) return;
    const graph = this.app.loaded(place.model, place.graph);
    const name = info?.name || graph?.names[place.id] || String(place.id);
    const type = info?.type || graph?.typeName(place.id) || '';
    this.roles = h('div', { class: 'roles' });
    fill(
      this.head,
      h(
        'div',
        { class: 'op-title' },
        h('h3', { class: 'op-name', text: name }),
        button({ icon: 'copy', label: t('info.copyname'), class: 'tool small' }, () => void copy(name)),
        button({ icon: 'centre', label: t('info.centre'), class: 'tool small' }, () => this.app.centre(place)),
      ),
      h('p', { class: 'op-type', text: type }),
      this.roles,
    );
    this.updateRoles();
  }

  /** The buttons that do what the menu does, for whoever does not know of the menu. */
  updateRoles() {
    const place = this.app.store.state.selected;
    if (!this.roles || !place || place.model !== 0) return;
    const { selecting } = this.app;
    const { starts, ends } = selecting.here(place);
    const spot = selecting.spot(place);
    const isStart = starts.includes(place.id);
    const isEnd = ends.includes(place.id);
    const whyNot = selecting.whyNotEnd(spot) ?? undefined;
    fill(
      this.roles,
      button({ icon: 'start', text: t('info.start'), pressed: isStart, class: 'button small start' }, () =>
        isStart ? selecting.remove('start', spot.starts) : selecting.start(spot, false),
      ),
      button({ icon: 'end', text: t('info.end'), pressed: isEnd, title: whyNot, class: 'button small end' }, () =>
        isEnd ? selecting.remove('end', spot.ends) : selecting.end(spot, false),
      ),
    );
  }

  /** @param {Place} place @param {OpInfo} info */
  show(place, info) {
    this.shown = { place, info };
    this.title(place, info);
    if (!this.body || !this.tools) return;
    this.body.classList.remove('stale');
    const graph = this.app.loaded(place.model, place.graph);
    const ways = {
      name: (/** @type {number} */ id) => graph?.names[id] ?? String(id),
      go: (/** @type {number} */ id) => this.app.select({ ...place, id }),
      open: (/** @type {string} */ key) => void this.app.showGraph(key),
    };
    const problems = (info.problems ?? []).map((text) => h('p', { class: 'problem-line', text }));
    const { session } = this.app.store.state;
    const shown = session?.offline ? info : { ...info, offline: undefined };
    this.sections = h('div', { class: 'sections' }, ...sectionsOf(shown, ways).map((one) => this.section(one)));
    fill(this.body, ...problems, this.sections);
    this.body.scrollTop = 0;
    this.tools.hidden = false;
    this.find?.search();
  }

  /** @param {{key: string, title: string, count: number | null, content: HTMLElement}} one */
  section({ key, title, count, content }) {
    const made = h(
      'details',
      { class: 'section', open: !this.closed.has(key), 'data-section': key },
      h('summary', {}, title, count !== null && h('span', { class: 'count', text: String(count) })),
      content,
    );
    made.querySelector('summary')?.addEventListener('click', () => {
      // The state changes after the click.
      if (made.open) this.closed.add(key);
      else this.closed.delete(key);
    });
    return made;
  }

  /** @param {boolean} open */
  foldAll(open) {
    for (const section of this.sections?.querySelectorAll('details') ?? []) {
      section.open = open;
      const key = section.dataset.section ?? '';
      if (open) this.closed.delete(key);
      else this.closed.add(key);
    }
  }
}
