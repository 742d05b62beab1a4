/** The job as it is seen: a bar, what is being done, the log on demand, and at the end the folder. */

import { ask } from './api.js';
import { fill, h, said } from './dom.js';
import { headline, t } from './i18n.js';
import { share } from './job.js';
import { button, complain, copy } from './widgets.js';

/** @typedef {import('./state.js').Job} Job */

/**
 * Shows a job in a place, keeping what the user opened there.
 * @param {HTMLElement} place
 * @param {import('./app.js').App} app
 * @param {Job | null} job
 * @param {boolean} connected
 */
export function jobCard(place, app, job, connected) {
  if (!job) return fill(place);
  const open = place.querySelector('details')?.open ?? job.state === 'failed';
  const running = job.state === 'running';
  fill(
    place,
    h(
      'section',
      { class: `job ${job.state}`, 'aria-label': title(job) },
      h(
        'div',
        { class: 'job-head' },
        h('strong', { text: title(job), role: 'status' }),
        h('span', { class: 'hint', text: running ? job.stage : '' }),
        running
          ? button({ text: t('job.cancel'), class: 'button small' }, () => void cancelJob(app))
          : button({ icon: 'close', label: t('app.dismiss'), class: 'tool small' }, () => app.store.set({ job: null })),
      ),
      running && bar(job),
      running && !connected && h('p', { class: 'hint', text: t('job.lost') }),
      job.message && !running && h('p', { class: 'job-message' }, ...said(job.message)),
      ...job.help.map((line) => h('p', { class: 'hint' }, ...said(line))),
      job.state === 'done' && job.folder !== '' && outcome(job),
      job.log.length > 0 && log(job, open),
    ),
  );
}

/** @param {Job} job */
function title(job) {
  const verify = job.what === 'verify';
  if (job.state === 'done') return t(verify ? 'job.done.verify' : 'job.done.export');
  if (job.state === 'failed') return [t('job.failed'), headline(job.code ?? '')].filter(Boolean).join(': ');
  if (job.state === 'cancelled') return t('job.cancelled');
  return t(verify ? 'job.verify' : 'job.export');
}

/** @param {Job} job */
function bar(job) {
  const part = share(job);
  const made = h(
    'div',
    {
      class: `progress${part === null ? ' unknown' : ''}`,
      role: 'progressbar',
      'aria-label': title(job),
      'aria-valuemin': '0',
      'aria-valuemax': '100',
      'aria-valuenow': part === null ? undefined : String(Math.round(part * 100)),
      'aria-valuetext': part === null ? t('job.working') : undefined,
    },
    h('div'),
  );
  const filled = /** @type {HTMLElement} */ (made.firstElementChild);
  if (part !== null) filled.style.width = `${part * 100}%`;
  return made;
}

/** @param {Job} job */
function outcome(job) {
  return h(
    'div',
    { class: 'outcome' },
    h(
      'div',
      { class: 'folder' },
      h('code', { text: job.folder }),
      button({ icon: 'copy', label: t('job.copyfolder'), class: 'tool small' }, () => void copy(job.folder)),
    ),
    job.files.length > 0 &&
      h(
        'ul',
        { class: 'files' },
        ...job.files.slice(0, 12).map((file) => h('li', { text: file })),
        job.files.length > 12 && h('li', { class: 'hint', text: t('app.more', { n: job.files.length - 12 }) }),
      ),
  );
}

/** @param {Job} job @param {boolean} open */
function log(job, open) {
  const text = h('pre', { tabindex: '0', 'aria-label': t('job.log'), text: job.log.join('\n') });
  const made = h('details', { class: 'log', open }, h('summary', { text: t('job.details') }), text);
  // The newest line is the one to read; a fresh element has no height before it is in the page.
  requestAnimationFrame(() => {
    text.scrollTop = text.scrollHeight;
  });
  return made;
}

/** @param {import('./app.js').App} app */
async function cancelJob(app) {
  try {
    await ask('/api/cancel', {});
  } catch (error) {
    complain(error);
  }
}
