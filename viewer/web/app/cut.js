/** The panel on the left: starts and ends, the text, what the cut takes in and gives out, and what can be done with it. */

import { Editor } from './editor.js';
import { openExport, openSave, startJob } from './export.js';
import { fill, h, said } from './dom.js';
import { headline, t } from './i18n.js';
import { jobCard } from './job-card.js';
import { reasonOf } from './reasons.js';
import { button } from './widgets.js';

/** @typedef {import('./types.js').Edge} Edge */
/** @typedef {import('./app.js').App} App */

/** Edges shown before the rest is asked for. */
const EDGES = 40;

export class CutPanel {
  /** @param {HTMLElement} element @param {App} app */
  constructor(element, app) {
    this.app = app;
    this.element = element;
    this.build();
    app.store.on(['choice', 'past'], () => this.update());
    app.store.on(['job', 'connected'], () => this.updateJob());
    app.store.on(['session'], () => this.update());
    app.store.on(['showCut'], (state) => {
      element.hidden = !state.showCut;
    });
    app.store.on(['language'], () => this.build());
  }

  build() {
    const { app } = this;
    this.element.setAttribute('aria-label', t('cut.label'));
    this.editor = new Editor((text) => app.selecting.type(text));
    this.ends = h('div', { class: 'ends' });
    this.problems = h('div', { id: 'selection-problems', class: 'problems', 'aria-live': 'polite' });
    this.edges = h('div', { class: 'edges' });
    this.job = h('div', { class: 'job-place' });
    this.undo = button({ icon: 'undo', label: t('cut.undo') }, () => app.selecting.undo());
    this.clear = button({ icon: 'close', label: t('cut.clear') }, () => app.selecting.clear());
    this.exporting = button({ text: t('cut.export'), class: 'button primary', id: 'export' }, () => openExport(app));
    this.verify = button(
      { text: t('cut.verify'), id: 'verify', title: t('cut.verify.hint') },
      () => void startJob(app, 'verify', {}),
    );
    this.save = button({ text: t('cut.save'), id: 'save' }, () => openSave(app));
    fill(
      this.element,
      h('header', { class: 'panel-head' }, h('h2', { text: t('cut.label') }), this.undo, this.clear),
      h(
        'div',
        { class: 'panel-body', tabindex: '0', role: 'group', 'aria-label': t('cut.label') },
        this.editor.element,
        this.problems,
        this.ends,
        this.edges,
      ),
      h(
        'footer',
        { class: 'panel-foot' },
        this.job,
        h('div', { class: 'buttons' }, this.exporting, this.verify, this.save),
      ),
    );
    this.update();
    this.updateJob();
  }

  update() {
    const { choice, past } = this.app.store.state;
    this.editor?.show(choice.text, choice.state === 'refused' ? choice.diagnostics : []);
    if (!this.ends || !this.problems || !this.edges) return;
    const any = choice.starts.length > 0 || choice.ends.length > 0;
    const blank = !any && !choice.text;
    fill(
      this.ends,
      blank && h('p', { class: 'hint', text: t('cut.empty') }),
      any && this.chips('start', choice.starts),
      any && this.chips('end', choice.ends),
    );
    fill(this.problems, ...choice.diagnostics.map((one) => this.problem(one)));
    fill(this.edges, ...this.outcome());
    const ready = choice.state === 'ok' && (choice.chosen?.ops.length ?? 0) > 0;
    const busy = this.app.store.state.job?.state === 'running';
    for (const element of [this.exporting, this.verify]) if (element) element.disabled = !ready || busy;
    if (this.save) this.save.disabled = !ready;
    if (this.undo) this.undo.disabled = past.length === 0;
    if (this.clear) this.clear.disabled = blank;
  }

  updateJob() {
    const { job, connected } = this.app.store.state;
    if (this.job) jobCard(this.job, this.app, job, connected);
    this.update();
  }

  /** @param {"start" | "end"} role @param {number[]} ids */
  chips(role, ids) {
    const { app } = this;
    const graph = app.loaded(0, app.store.state.choice.graph);
    const name = (/** @type {number} */ id) => graph?.names[id] ?? String(id);
    const all = ids.slice(0, 30).map((id) =>
      h(
        'li',
        { class: `chip ${role}` },
        h('button', {
          type: 'button',
          class: 'chip-name',
          title: t('cut.goto', { name: name(id) }),
          text: name(id),
          on: { click: () => app.select({ model: 0, graph: app.store.state.choice.graph, id }) },
        }),
        button({ icon: 'close', label: t('cut.remove', { name: name(id) }), class: 'tool tiny' }, () =>
          app.selecting.remove(role, [id]),
        ),
      ),
    );
    if (ids.length > 30) all.push(h('li', { class: 'hint', text: t('app.more', { n: ids.length - 30 }) }));
    if (!ids.length) all.push(h('li', { class: 'hint', text: t(role === 'start' ? 'cut.anystart' : 'cut.anyend') }));
    const title = t(role === 'start' ? 'cut.starts' : 'cut.ends');
    return h('div', { class: 'chips' }, h('h3', { text: title }), h('ul', { 'aria-label': title }, ...all));
  }

  /** @param {import('./types.js').Diagnostic} one */
  problem(one) {
    const points = one.start !== null;
    const title = headline(one.code);
    return h(
      'div',
      { class: 'problem' },
      h(
        points ? 'button' : 'p',
        {
          type: points ? 'button' : undefined,
          class: 'problem-text',
          on: points ? { click: () => this.editor?.point(one) } : {},
        },
        ...(title ? [title] : said(one.message)),
      ),
      title && h('p', { class: 'hint', lang: 'en' }, ...said(one.message)),
      h('code', { class: 'code', text: one.code }),
      ...(one.help ?? []).map((help) => h('p', { class: 'hint', lang: 'en' }, ...said(help))),
    );
  }

  /** What the server says the cut is. */
  outcome() {
    const { choice } = this.app.store.state;
    const { chosen } = choice;
    this.edges?.classList.toggle('stale', choice.state === 'asking');
    if (choice.state === 'asking' && !chosen) return [h('p', { class: 'hint', text: t('cut.checking') })];
    if (choice.state === 'refused' || !chosen) return [];
    const counts = [t('app.operators', { n: chosen.ops.length })];
    if (chosen.constants) counts.push(t('cut.constants', { n: chosen.constants }));
    const elsewhere = (chosen.graph ?? '') !== this.app.shownGraph;
    return [
      h('p', { class: 'counts', text: counts.join(' · ') }),
      elsewhere &&
        h(
          'p',
          { class: 'hint' },
          t('cut.elsewhere', { name: this.app.graphName(chosen.graph ?? '') }),
          ' ',
          button({ text: t('cut.show'), class: 'link' }, () => void this.app.showGraph(chosen.graph ?? '')),
        ),
      this.list(t('cut.inputs'), chosen.inputs, 'in'),
      chosen.needs.length > 0 &&
        h(
          'div',
          { class: 'needs' },
          h('p', {}, ...said(t('cut.needs'))),
          ...chosen.needs.map((tensor) => h('code', { text: tensor })),
        ),
      this.list(t('cut.outputs'), chosen.outputs, 'out'),
    ];
  }

  /** @param {string} title @param {Edge[]} edges @param {"in" | "out"} way */
  list(title, edges, way) {
    const rows = edges.slice(0, EDGES).map((edge) => this.edge(edge, way));
    if (edges.length > EDGES) rows.push(h('li', { class: 'hint', text: t('app.more', { n: edges.length - EDGES }) }));
    return h(
      'section',
      { class: 'edge-list' },
      h('h3', {}, title, ' ', h('span', { class: 'count', text: String(edges.length) })),
      h('ul', {}, ...rows),
    );
  }

  /** @param {Edge} edge @param {"in" | "out"} way */
  edge(edge, way) {
    const { app } = this;
    const target = way === 'in' ? edge.consumers?.[0] : edge.producer;
    const graph = app.store.state.choice.chosen?.graph ?? '';
    const side = edge.side && h('span', { class: 'tag side', text: t('cut.side'), title: t('cut.side.why') });
    const name =
      target === undefined || target < 0
        ? h('span', { class: 'tensor', text: edge.tensor })
        : h('button', {
            type: 'button',
            class: 'tensor',
            text: edge.tensor,
            on: { click: () => app.select({ model: 0, graph, id: target }) },
          });
    return h(
      'li',
      { class: `edge ${way}${edge.side ? ' beside' : ''}` },
      h('div', { class: 'edge-head' }, name, side),
      h('div', { class: 'type', text: edge.type || t('info.unknown') }),
      h('p', { class: 'hint', text: reasonOf(edge.reason) }),
    );
  }
}
