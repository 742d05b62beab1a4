/** Numbers of a stored tensor: how they are spread, and the first of them. */

import { h, svg } from './dom.js';
import { t } from './i18n.js';
import { short } from './scale.js';

/** @typedef {import('./types.js').Preview} Preview */

const WIDTH = 288;
const HEIGHT = 56;

/** @param {Preview} preview */
export function previewOf(preview) {
  const { histogram } = preview;
  const flaws = (preview.nan ?? 0) + (preview.inf ?? 0) > 0;
  return h(
    'div',
    { class: 'preview' },
    preview.skipped !== undefined && h('p', { class: 'hint', text: t('info.toobig', { n: preview.skipped }) }),
    histogram && histogramOf(histogram),
    preview.min !== undefined &&
      h(
        'dl',
        { class: 'numbers' },
        number(t('info.min'), preview.min),
        number(t('info.mean'), preview.mean),
        number(t('info.max'), preview.max),
        number(t('info.zeros'), preview.zeros),
        flaws && number(t('info.nan'), preview.nan),
        flaws && number(t('info.inf'), preview.inf),
      ),
    preview.first.length > 0 &&
      h(
        'p',
        { class: 'first', title: t('info.first') },
        preview.first.map((one) => (typeof one === 'number' ? short(one) : String(one))).join('  '),
      ),
  );
}

/** @param {string} name @param {number | string | null | undefined} value */
function number(name, value) {
  const text = typeof value === 'string' ? value : short(value);
  return h('div', {}, h('dt', { text: name }), h('dd', { text }));
}

/** @param {{edges: number[], counts: number[]}} histogram */
function histogramOf({ edges, counts }) {
  const most = Math.max(...counts, 1);
  const width = WIDTH / counts.length;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const range = { min: short(edges[0]), max: short(edges[edges.length - 1]) };
  // The square root keeps rare values visible beside a peak.
  const bars = counts.map((count, at) => {
    const height = count ? Math.max(1, Math.sqrt(count / most) * HEIGHT) : 0;
    return svg('rect', { x: at * width + 0.5, y: HEIGHT - height, width: Math.max(width - 1, 0.5), height });
  });
  const label = t('info.histogram', { n: total, bins: counts.length, ...range });
  return h(
    'figure',
    { class: 'histogram' },
    svg(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': label, preserveAspectRatio: 'none' },
      ...bars,
    ),
    h('figcaption', {}, h('span', { text: range.min }), h('span', { text: range.max })),
  );
}
