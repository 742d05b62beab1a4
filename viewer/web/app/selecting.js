/** Choosing what to cut: pointing leads to a text, a text leads to operators, and the server is the only one who parses. */

import { Latest, Refusal } from './api.js';
import { answered, nothing, point, refuseEnd, refuseStart, worded, write } from './choice.js';
import { quietly } from './dom.js';
import { t } from './i18n.js';
import { complain, notify } from './widgets.js';

/** @typedef {import('./choice.js').Choice} Choice */
/** @typedef {import('./types.js').Place} Place */

/** Milliseconds without a key before a text is sent. */
const PAUSE = 180;
/** Changes that can be undone. */
const PAST = 100;

export class Selecting {
  /** @param {import('./app.js').App} app */
  constructor(app) {
    this.app = app;
    this.questions = new Latest();
    /** Takes the last refusal off the page: it is answered by whatever is chosen next. */
    this.dismiss = () => {};
    this.later = quietly((/** @type {string} */ text) => void this.read(text), PAUSE);
  }

  get choice() {
    return this.app.store.state.choice;
  }

  /** @param {Choice} choice @param {boolean} [remember] */
  become(choice, remember = false) {
    this.dismiss();
    const { past, choice: before } = this.app.store.state;
    if (remember) this.app.store.set({ past: [...past, before].slice(-PAST), choice });
    else this.app.store.set({ choice });
  }

  /**
   * Makes an operator a start, or says why it cannot be one.
   * @param {Place} place
   * @param {boolean} add  beside the starts there are
   */
  start(place, add) {
    if (!this.ours(place)) return;
    const { starts, ends, graph } = this.here(place);
    const refused = this.whyNotStart(place);
    if (refused) return void this.refuse(refused, () => this.point(graph, [...ends], [place.id]));
    this.point(graph, add ? unique([...starts, place.id]) : [place.id], ends);
  }

  /** @param {Place} place @param {boolean} add */
  end(place, add) {
    if (!this.ours(place)) return;
    const { starts, ends, graph } = this.here(place);
    const refused = this.whyNotEnd(place);
    if (refused) return void this.refuse(refused, () => this.point(graph, [place.id], [...starts]));
    this.point(graph, starts, add ? unique([...ends, place.id]) : [place.id]);
  }

  /** The starts and ends that lie in the graph of an operator: a choice does not reach over graphs. @param {Place} place */
  here(place) {
    const { choice } = this;
    if (choice.graph !== place.graph) return { graph: place.graph, starts: [], ends: [] };
    return { graph: place.graph, starts: choice.starts, ends: choice.ends };
  }

  /** @param {Place} place @returns {string | null} */
  whyNotEnd(place) {
    const graph = this.app.loaded(0, place.graph);
    const refused = graph && refuseEnd(graph, place.id, this.here(place).starts);
    if (!graph || !refused) return null;
    const names = { name: graph.names[place.id], start: graph.names[refused.other] };
    return t(refused.why === 'above' ? 'refuse.end.above' : 'refuse.end.apart', names);
  }

  /** @param {Place} place @returns {string | null} */
  whyNotStart(place) {
    const graph = this.app.loaded(0, place.graph);
    const refused = graph && refuseStart(graph, place.id, this.here(place).ends);
    if (!graph || !refused) return null;
    const names = { name: graph.names[place.id], end: graph.names[refused.other] };
    return t(refused.why === 'above' ? 'refuse.start.below' : 'refuse.start.apart', names);
  }

  /** Whether trading places would make sense of a refused choice. @param {Place} place @param {"start" | "end"} role */
  swappable(place, role) {
    const graph = this.app.loaded(0, place.graph);
    const { starts, ends } = this.here(place);
    if (!graph) return null;
    const refused = role === 'end' ? refuseEnd(graph, place.id, starts) : refuseStart(graph, place.id, ends);
    return refused?.why === 'above' ? refused.other : null;
  }

  /** @param {Place} place @param {"start" | "end"} role */
  swap(place, role) {
    const { starts, ends, graph } = this.here(place);
    if (role === 'end') this.point(graph, [place.id], [...starts]);
    else this.point(graph, [...ends], [place.id]);
  }

  /** @param {string} why @param {() => void} swap */
  refuse(why, swap) {
    const { selected } = this.app.store.state;
    this.dismiss();
    const can = selected && (this.swappable(selected, 'end') ?? this.swappable(selected, 'start')) !== null;
    this.dismiss = notify(why, { kind: 'bad', action: can ? { text: t('refuse.swap'), run: swap } : undefined });
  }

  /** Only the original can be cut. @param {Place} place */
  ours(place) {
    if (place.model === 0) return true;
    notify(t('refuse.foreign'), { kind: 'bad' });
    return false;
  }

  /** @param {number} id */
  remove(id) {
    const { graph, starts, ends } = this.choice;
    this.point(
      graph,
      starts.filter((other) => other !== id),
      ends.filter((other) => other !== id),
    );
  }

  clear() {
    if (this.choice.text || this.choice.starts.length) this.become(nothing(), true);
    this.later.cancel();
    this.questions.stop();
  }

  undo() {
    const { past } = this.app.store.state;
    if (!past.length) return;
    this.questions.stop();
    const choice = past[past.length - 1];
    this.app.store.set({ past: past.slice(0, -1), choice });
    if (choice.state === 'asking') void this.read(choice.text);
  }

  /**
   * The user points: blue at once, the words follow.
   * @param {string} graph
   * @param {number[]} starts
   * @param {number[]} ends
   */
  point(graph, starts, ends) {
    this.later.cancel();
    this.become(point(this.choice, graph, starts, ends), true);
    if (starts.length || ends.length) void this.word();
    else this.questions.stop();
  }

  async word() {
    const { graph, starts, ends } = this.choice;
    try {
      const answer = await this.questions.ask('/api/compose', { graph, starts, ends });
      if (!answer) return;
      this.become(worded(this.choice, /** @type {{text: string}} */ (answer).text));
      await this.read(this.choice.text);
    } catch (error) {
      this.failed(error);
    }
  }

  /** The user types. @param {string} text */
  type(text) {
    this.questions.stop();
    this.become(write(this.choice, text));
    if (text.trim()) this.later(text);
    else this.later.cancel();
  }

  /** A whole text at once, as from the search field. @param {string} text */
  adopt(text) {
    this.later.cancel();
    this.become(write(this.choice, text), true);
    return this.read(text);
  }

  /** @param {string} text */
  async read(text) {
    try {
      const answer = await this.questions.ask('/api/select', { text });
      if (answer) this.become(answered(this.choice, /** @type {any} */ (answer)));
    } catch (error) {
      this.failed(error);
    }
  }

  /** @param {unknown} error */
  failed(error) {
    if (error instanceof Refusal && error.code !== 'unreachable') {
      const said = { code: error.code, message: error.message, start: null, end: null, help: error.help };
      const diagnostics = error.diagnostics.length ? error.diagnostics : [said];
      this.become(answered(this.choice, { ok: false, diagnostics }));
      return;
    }
    this.become(answered(this.choice, { ok: false, diagnostics: [] }));
    complain(error);
  }
}

/** @param {number[]} ids */
function unique(ids) {
  return [...new Set(ids)];
}
