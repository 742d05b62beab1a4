/** The server's one job, export or verification: its events become the state that is shown. */

/** @typedef {import('./state.js').Job} Job */
/** @typedef {import('./types.js').JobEvent} JobEvent */

/** Lines of the log that are kept; a job that writes more loses its oldest. */
const LOG_LINES = 5000;

/** @param {"export" | "verify"} what @returns {Job} */
export function begun(what) {
  return {
    what,
    state: 'running',
    stage: '',
    done: 0,
    total: 0,
    log: [],
    folder: '',
    files: [],
    message: '',
    help: [],
  };
}

/**
 * @param {Job | null} job
 * @param {JobEvent} event
 * @returns {Job | null}
 */
export function told(job, event) {
  if (!['progress', 'log', 'done', 'failed'].includes(event.kind)) return job;
  // The first event of every job says what it is, in a page that was reloaded or stands beside the one that asked.
  const begins = event.kind === 'progress' && event.what !== undefined;
  const base = job && !begins ? job : begun(event.what === 'verify' ? 'verify' : 'export');
  if (event.kind === 'progress') {
    return { ...base, state: 'running', stage: event.stage ?? '', done: event.done ?? 0, total: event.total ?? 0 };
  }
  if (event.kind === 'log') {
    const line = event.time ? `${event.time} ${event.text ?? ''}` : (event.text ?? '');
    return { ...base, log: [...base.log, line].slice(-LOG_LINES) };
  }
  if (event.kind === 'done') {
    const files = (event.files ?? []).map((file) => (typeof file === 'string' ? file : file.name));
    const state = event.good === false ? 'failed' : 'done';
    const { folder = '', message = '', warnings = [], commands = [] } = event;
    return { ...base, state, folder, files, message, help: [...warnings, ...commands.map(String)], done: 1, total: 1 };
  }
  const state = event.code === 'cancelled' ? 'cancelled' : 'failed';
  const { code = '', message = '', help = [] } = event;
  return { ...base, state, code, message, help };
}

/** How far a job is, from 0 to 1, or null while that is unknown. @param {Job} job */
export function share(job) {
  if (job.state === 'done') return 1;
  return job.total > 0 ? Math.min(job.done / job.total, 1) : null;
}
