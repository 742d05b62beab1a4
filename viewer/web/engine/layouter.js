/**
 * Asks the worker for layouts; a new request, or `cancel`, ends the one before.
 *
 * @module
 * @typedef {import('./types.js').View} View
 * @typedef {import('./types.js').Layout} Layout
 */

import { layout, layoutInput } from './layout.js';

/** @typedef {{number: number, resolve: (layout: Layout) => void, reject: (error: Error) => void}} Request */

/** What `layout` rejects with once it has been cancelled: an error named AbortError, as `fetch` has it. */
function cancelled() {
  return new DOMException('the layout was cancelled', 'AbortError');
}

/** A worker that was started before anybody asks. @type {Worker | null} */
let spare = null;

/** Starts the worker that the first layout takes: its modules are fetched while the page fetches the graph. */
export function prepareWorker() {
  spare ??= newWorker();
}

/** @returns {Worker} */
function newWorker() {
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
}

export class Layouter {
  constructor() {
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {Request | null} */
    this.request = null;
    this.number = 0;
  }

  /**
   * @param {View} view
   * @returns {Promise<Layout>}
   */
  layout(view) {
    this.cancel();
    const worker = this.start();
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      this.request = { number, resolve, reject };
      worker.postMessage({ number, input: layoutInput(view) });
    });
  }

  start() {
    if (this.worker) return this.worker;
    const worker = spare ?? newWorker();
    spare = null;
    worker.addEventListener('message', ({ data }) => this.answer(data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.fail(new Error(`the layout failed: ${event.message ?? 'the worker did not start'}`));
    });
    this.worker = worker;
    return worker;
  }

  /** @param {{number: number, layout?: Layout, error?: string}} message */
  answer({ number, layout: found, error }) {
    const { request } = this;
    if (!request || request.number !== number) return;
    this.request = null;
    if (found) request.resolve(found);
    else request.reject(new Error(error));
  }

  /** @param {Error} error */
  fail(error) {
    const { request } = this;
    this.request = null;
    this.close();
    request?.reject(error);
  }

  /** Ends the layout that is under way, if there is one: the thread is given up, the next call starts another. */
  cancel() {
    if (this.request) this.fail(cancelled());
  }

  close() {
    this.worker?.terminate();
    this.worker = null;
    if (this.request) this.fail(cancelled());
  }
}

/**
 * The same without a worker, for pages opened from disk, which may start none.
 *
 * @param {View} view
 * @returns {Layout}
 */
export function layoutHere(view) {
  return layout(layoutInput(view));
}
