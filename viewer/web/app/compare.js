/** The overlay of errors: colours on the graph, a threshold, the way from culprit to culprit, the curve beside it. */

import { ask } from './api.js';
import { drawCurve } from './curve.js';
import { fill, h, svg } from './dom.js';
import { t } from './i18n.js';
import { icon } from './icons.js';
import { scaleColour } from '../engine/theme.js';
import { badness, beyond, diverge, errorAt, place, scaleOf, short, thresholdOf } from './scale.js';
import { button, complain, notify } from './widgets.js';

/** @typedef {import('./app.js').App} App */
/** @typedef {import('./types.js').Report} Report */

const STEPS = 200;

export class Compare {
  /** @param {HTMLElement} stage @param {App} app */
  constructor(stage, app) {
    this.app = app;
    /** @type {Report | null} */
    this.report = null;
    this.panel = h('section', { class: 'compare card', hidden: true });
    this.curve = svg('svg', { class: 'curve', role: 'img' });
    this.curve.addEventListener('click', (event) => this.clicked(/** @type {MouseEvent} */ (event)));
    this.caption = h('p', { class: 'curve-title' });
    this.strip = h('div', { class: 'curve-strip', hidden: true }, this.caption, this.curve);
    stage.append(this.panel, this.strip);
    app.store.on(['overlay', 'selected', 'drawn'], () => this.update());
    app.store.on(['language'], () => this.build());
    new ResizeObserver(() => this.update()).observe(this.strip);
  }

  async toggle() {
    const { overlay } = this.app.store.state;
    if (!overlay.on && !this.report) {
      try {
        this.read(await ask('/api/report'));
      } catch (error) {
        return complain(error);
      }
    }
    this.app.store.set({ overlay: { ...this.app.store.state.overlay, on: !overlay.on } });
  }

  /** @param {Report} report */
  read(report) {
    this.report = report;
    this.scale = scaleOf([...report.total, ...report.own]);
    const own = report.own.some((error) => error !== null);
    const isBad = (/** @type {number} */ at) => /^(bad|culprit)$/.test(report.verdict[at]);
    const threshold = thresholdOf(this.scale, own ? report.own : report.total, isBad);
    this.app.store.set({ overlay: { ...this.app.store.state.overlay, threshold, own } });
    this.build();
  }

  /** The chosen errors by place in the report: another metric, own or accumulated. @returns {(number | null)[]} */
  errors() {
    const { report } = this;
    const { own, metric } = this.app.store.state.overlay;
    if (!report) return [];
    if (metric) return report.metrics[metric].map((value) => badness(metric, value));
    return own ? report.own : report.total;
  }

  /** Operators beyond the threshold, in order of depth. */
  culprits() {
    const { report } = this;
    if (!report) return [];
    const errors = this.errors();
    return beyond(
      report.curve.map((at) => report.op[at]),
      report.curve.map((at) => errors[at]),
      this.app.store.state.overlay.threshold,
    );
  }

  /** @param {1 | -1} step */
  step(step) {
    const found = this.culprits();
    if (!found.length) {
      notify(this.counted());
      return;
    }
    const { selected } = this.app.store.state;
    const at = selected ? found.indexOf(selected.id) : -1;
    const next = at < 0 ? (step > 0 ? 0 : found.length - 1) : (at + step + found.length) % found.length;
    this.app.select({ model: 0, graph: '', id: found[next] });
  }

  build() {
    const { report, app } = this;
    if (!report) return;
    const { metric, own } = app.store.state.overlay;
    this.slider = h('input', {
      type: 'range',
      min: '0',
      max: String(STEPS),
      step: '1',
      id: 'threshold',
      'aria-label': t('compare.threshold'),
      on: { input: () => this.slide() },
    });
    this.value = h('output', { for: 'threshold' });
    this.above = h('p', { class: 'hint', role: 'status' });
    this.limit = h('div', { class: 'legend-limit' });
    this.legend = h('div', { class: 'legend', role: 'img', 'aria-label': t('compare.legend') }, this.limit);
    fill(this.caption, t('compare.curve'));
    const metrics = report.names;
    const choose = (/** @type {boolean} */ choice) =>
      app.store.set({ overlay: { ...app.store.state.overlay, own: choice } });
    const radio = (/** @type {boolean} */ value, /** @type {string} */ text) =>
      h(
        'label',
        {},
        h('input', { type: 'radio', name: 'error', checked: own === value, on: { change: () => choose(value) } }),
        text,
      );
    fill(
      this.panel,
      h(
        'header',
        {},
        icon('errors'),
        h('h2', { text: t('compare.title') }),
        button({ icon: 'close', label: t('app.close'), class: 'tool small' }, () => void this.toggle()),
      ),
      metrics.length > 0 && this.metrics(metrics, metric),
      !metric &&
        report.own.some((error) => error !== null) &&
        h(
          'fieldset',
          {},
          h('legend', { class: 'offscreen', text: t('compare.title') }),
          radio(true, t('compare.own')),
          radio(false, t('compare.total')),
        ),
      h('div', { class: 'slider' }, h('label', { for: 'threshold', text: t('compare.threshold') }), this.value),
      this.slider,
      this.legend,
      h(
        'div',
        { class: 'legend-ends' },
        h('span', { text: `${t('compare.good')} ${short(this.scale?.low)}` }),
        h('span', { class: 'nodata', text: t('compare.nodata') }),
        h('span', { text: `${short(this.scale?.high)} ${t('compare.bad')}` }),
      ),
      h(
        'div',
        { class: 'culprits' },
        this.above,
        button({ icon: 'up', label: t('compare.previous') }, () => this.step(-1)),
        button({ icon: 'down', label: t('compare.next') }, () => this.step(1)),
      ),
    );
    this.update();
  }

  /** @param {string[]} metrics @param {string} metric */
  metrics(metrics, metric) {
    const words = [['', t('compare.distance')], ...metrics.map((name) => [name, name])];
    const field = h(
      'select',
      { id: 'metric' },
      ...words.map(([value, text]) => h('option', { value, text, selected: value === metric })),
    );
    field.addEventListener('change', () => {
      const { store } = this.app;
      store.set({ overlay: { ...store.state.overlay, metric: field.value } });
      const { report } = this;
      this.scale = scaleOf(field.value || !report ? this.errors() : [...report.total, ...report.own]);
      store.set({ overlay: { ...store.state.overlay, threshold: errorAt(this.scale, 0.5) } });
      this.build();
      document.getElementById('metric')?.focus();
    });
    return h('div', { class: 'slider' }, h('label', { for: 'metric', text: t('compare.metric') }), field);
  }

  slide() {
    if (!this.scale || !this.slider) return;
    const threshold = errorAt(this.scale, Number(this.slider.value) / STEPS);
    this.app.store.set({ overlay: { ...this.app.store.state.overlay, threshold } });
  }

  update() {
    const { overlay, selected } = this.app.store.state;
    const shown = overlay.on && this.report !== null && this.app.panes[0].key === '';
    this.panel.hidden = !shown;
    this.strip.hidden = !shown;
    this.strip.parentElement?.classList.toggle('with-curve', shown);
    if (!this.report || !this.scale || !this.slider) return;
    const share = place(this.scale, overlay.threshold);
    this.slider.value = String(Math.round(share * STEPS));
    this.slider.setAttribute('aria-valuetext', short(overlay.threshold));
    if (this.value) this.value.textContent = short(overlay.threshold);
    if (this.limit) this.limit.style.left = `${share * 100}%`;
    if (this.legend) this.legend.style.background = gradient(share);
    this.count();
    this.paint(shown);
    if (!shown) return;
    const { report } = this;
    drawCurve(this.curve, {
      ops: report.curve.map((at) => report.op[at]),
      errors: report.curve.map((at) => report.total[at]),
      scale: scaleOf([...report.total, ...report.own]),
      threshold: overlay.metric ? 0 : overlay.threshold,
      selected: selected?.model === 0 ? selected.id : -1,
      label: t('compare.curve'),
    });
  }

  count() {
    if (this.above) this.above.textContent = this.counted();
  }

  /** How many operators lie beyond the threshold, in words. */
  counted() {
    const all = this.report?.op.filter((op) => op >= 0).length ?? 0;
    const n = this.culprits().length;
    const value = short(this.app.store.state.overlay.threshold);
    return n ? t('compare.above', { n, all, value }) : t('compare.none', { value });
  }

  /** Colours of the operators: what is within the threshold stays below the middle of the scale. @param {boolean} shown */
  paint(shown) {
    const [pane] = this.app.panes;
    if (!shown || !this.report || !this.scale) return pane.mark({ colours: null, values: null });
    const colours = new Float32Array(pane.ids).fill(NaN);
    const errors = this.errors();
    const limit = place(this.scale, this.app.store.state.overlay.threshold);
    /** @type {Map<number, number | null>} */
    const values = new Map();
    this.report.op.forEach((op, at) => {
      if (op < 0) return;
      const share = place(this.scale ?? { low: 1, high: 10 }, errors[at]);
      colours[op] = diverge(share, limit);
      values.set(op, errors[at]);
    });
    pane.mark({ colours, values: (id) => (values.has(id) ? short(values.get(id)) : '') });
  }

  /** @param {MouseEvent} event */
  clicked(event) {
    const { report } = this;
    if (!report?.curve.length) return;
    const box = this.curve.getBoundingClientRect();
    const last = report.curve.length - 1;
    const at = Math.round(((event.clientY - box.top - 6) / Math.max(box.height - 12, 1)) * last);
    this.app.select({ model: 0, graph: '', id: report.op[report.curve[Math.min(Math.max(at, 0), last)]] });
  }
}

/** The colours as they are on the graph, for a threshold at this place. @param {number} limit */
function gradient(limit) {
  const stops = Array.from(
    { length: 41 },
    (_, at) => `${scaleColour(diverge(at / 40, limit)).fill} ${(at * 2.5).toFixed(1)}%`,
  );
  return `linear-gradient(to right, ${stops.join(', ')})`;
}
