/** Work of the page itself that takes its time: a notice that says how far it is, and ends it. */

import { h, part } from './dom.js';
import { t } from './i18n.js';
import { button } from './widgets.js';

/** Milliseconds of work that nobody needs to be told of. */
const PATIENCE = 250;

/**
 * @param {string} text
 * @returns {{told: (done: number, total: number) => void, signal: AbortSignal, end: () => void}}
 */
export function progressNotice(text) {
  const cancelling = new AbortController();
  const fill = h('div');
  const bar = h('div', { class: 'progress', role: 'progressbar', 'aria-label': text, 'aria-valuemin': '0' }, fill);
  const count = h('span', { class: 'hint' });
  const box = h(
    'div',
    { class: 'toast info saving' },
    h('p', { text }),
    bar,
    count,
    button({ text: t('job.cancel'), class: 'button small' }, () => cancelling.abort()),
  );
  const waiting = setTimeout(() => part('toasts').append(box), PATIENCE);
  const told = (/** @type {number} */ done, /** @type {number} */ total) => {
    fill.style.width = `${(100 * done) / total}%`;
    bar.setAttribute('aria-valuenow', String(done));
    bar.setAttribute('aria-valuemax', String(total));
    count.textContent = `${done} / ${total}`;
  };
  const end = () => {
    clearTimeout(waiting);
    box.remove();
  };
  return { told, signal: cancelling.signal, end };
}
