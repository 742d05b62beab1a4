/** The line at the foot: what is chosen, how much of the model is in the cut, warnings, zoom. */

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { button, dialog } from './widgets.js';

export class Status {
  /** @param {HTMLElement} element @param {import('./app.js').App} app */
  constructor(element, app) {
    this.element = element;
    this.app = app;
    this.zoom = h('span', { class: 'status-zoom' });
    this.percent = 100;
    app.store.on(['session', 'selected', 'choice', 'language', 'connected', 'job'], () => this.update());
  }

  update() {
    const { session, selected, choice, connected } = this.app.store.state;
    const graph = selected && this.app.loaded(selected.model, selected.graph);
    const ops = choice.chosen?.ops.length ?? 0;
    const all = this.app.loaded(0, choice.graph)?.count ?? 0;
    const warnings = session?.warnings ?? [];
    this.zoom.textContent = t('status.zoom', { n: this.percent });
    this.element.setAttribute('aria-label', t('status.label'));
    fill(
      this.element,
      graph && selected && h('span', { class: 'status-op mono', text: graph.names[selected.id] }),
      ops > 0 && h('span', { class: 'status-cut', text: t('status.between', { n: ops, all }) }),
      h('span', { class: 'grow' }),
      !connected && h('span', { class: 'status-lost', text: t('job.lost') }),
      warnings.length > 0 &&
        button({ icon: 'warning', text: t('status.warnings', { n: warnings.length }), class: 'link' }, () =>
          dialog(t('status.warnings', { n: warnings.length }), () => [
            h('ul', { class: 'dialog-body warnings' }, ...warnings.map((text) => h('li', { text }))),
          ]),
        ),
      this.zoom,
    );
  }

  /** @param {number} zoom */
  showZoom(zoom) {
    this.percent = Math.round(zoom * 100);
    this.zoom.textContent = t('status.zoom', { n: this.percent });
  }
}
