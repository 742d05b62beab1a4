/** The panel on the right: everything about the chosen operator, in sections that fold (rows S3 and S6). */

import { Latest } from './api.js';
import { fill, h, said } from './dom.js';
import { Find } from './find.js';
import { t } from './i18n.js';
import { shownScope } from './scope.js';
import { bodySections, scopeSections } from './scope-sections.js';
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
    /** What the buttons Start and End are about. @type {import('./types.js').Spot | null} */
    this.spot = null;
    this.build();
    app.store.on(['selected', 'scope'], () => void this.look());
    app.store.on(['choice'], () => this.updateRoles());
    app.store.on(['showInfo'], (state) => {
      element.hidden = !state.showInfo;
    });
    app.store.on(['language'], () => {
      this.build();
      if (this.shown) this.show(this.shown.place, this.shown.info);
      else void this.look();
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

  /** Shows what has the focus: a scope, else the chosen operator. */
  async look() {
    this.questions.stop();
    const { scope, selected: place } = this.app.store.state;
    const shown = scope && shownScope(this.app, scope);
    if (shown) return this.showScope(shown);
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
    this.spot = place.model === 0 ? this.app.selecting.spot(place) : null;
    const name = info?.name || graph?.names[place.id] || String(place.id);
    const type = info?.type || graph?.typeName(place.id) || '';
    const centre = button({ icon: 'centre', label: t('info.centre'), class: 'tool small' }, () => this.app.centre(place));
    this.heading(name, type, centre);
  }

  /** @param {string} name @param {string} type @param {HTMLElement} tool */
  heading(name, type, tool) {
    if (!this.head) return;
    this.roles = h('div', { class: 'roles' });
    fill(
      this.head,
      h(
        'div',
        { class: 'op-title' },
        h('h3', { class: 'op-name', text: name }),
        button({ icon: 'copy', label: t('info.copyname'), class: 'tool small' }, () => void copy(name)),
        tool,
      ),
      h('p', { class: 'op-type', text: type }),
      this.roles,
    );
    this.updateRoles();
  }

  /** @param {import('./scope.js').ShownScope} scope */
  showScope({ pane, group, name, type, spot, contents, body, graph, key }) {
    this.shown = null;
    this.spot = spot;
    const open = pane.isOpen(group.scope);
    const word = t(open ? 'menu.fold' : 'menu.unfold');
    const fold = button({ icon: open ? 'fold' : 'unfold', label: word, class: 'tool small' }, () =>
      void pane.toggle(group.scope),
    );
    this.heading(name, type, fold);
    const ways = this.ways({ model: pane.model, graph: key, id: -1 }, graph);
    this.put(contents ? scopeSections(contents, ways) : body ? bodySections(body, body.owner, ways) : [], []);
  }

  /** The buttons that do what the menu does, for whoever does not know of the menu. */
  updateRoles() {
    const { spot } = this;
    if (!this.roles || !spot) return;
    const { selecting } = this.app;
    const { starts, ends } = selecting.here(spot);
    const isStart = spot.starts.some((id) => starts.includes(id));
    const isEnd = spot.ends.some((id) => ends.includes(id));
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
    const ways = this.ways(place, this.app.loaded(place.model, place.graph));
    const problems = (info.problems ?? []).map((text) => h('p', { class: 'problem-line', text }));
    const { session } = this.app.store.state;
    const shown = session?.offline ? info : { ...info, offline: undefined };
    this.put(sectionsOf(shown, ways), problems);
  }

  /** Where the links of the details lead. @param {Place} place @param {import('../engine/engine.js').Graph} [graph] */
  ways(place, graph) {
    return {
      name: (/** @type {number} */ id) => graph?.names[id] ?? String(id),
      go: (/** @type {number} */ id) => this.app.select({ ...place, id }),
      open: (/** @type {string} */ key) => void this.app.showGraph(key),
    };
  }

  /** @param {ReturnType<typeof sectionsOf>} sections @param {HTMLElement[]} problems */
  put(sections, problems) {
    if (!this.body || !this.tools) return;
    this.body.classList.remove('stale');
    this.sections = h('div', { class: 'sections' }, ...sections.map((one) => this.section(one)));
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
