/** Choosing what to cut: pointing leads to a text, a text leads to operators, and the server is the only one who parses. */

import { Latest, Refusal } from './api.js';
import { answered, endsWithin, nothing, point, refuseEnd, refuseStart, startsWithin, worded, write } from './choice.js';
import { quietly } from './dom.js';
import { t } from './i18n.js';
import { complain, notify } from './widgets.js';

/** @typedef {import('./choice.js').Choice} Choice */
/** @typedef {import('./types.js').Place} Place */
/** @typedef {import('./types.js').Spot} Spot */

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

  /** @param {Place} place @returns {Spot} */
  spot(place) {
    const name = this.app.loaded(place.model, place.graph)?.names[place.id] ?? '';
    return { model: place.model, graph: place.graph, name, starts: [place.id], ends: [place.id] };
  }

  /**
   * Makes an operator or a scope a start, or says why it cannot be one.
   * @param {Spot} spot
   * @param {boolean} add  beside the starts there are
   */
  start(spot, add) {
    const graph = this.ours(spot);
    if (!graph) return;
    const { starts, ends } = this.here(spot);
    const refused = this.whyNotStart(spot);
    if (refused) return this.refuse(refused, spot, 'start');
    this.point(spot.graph, unique([...(add ? starts : []), ...startsWithin(graph, spot.starts, ends)]), ends);
  }

  /** @param {Spot} spot @param {boolean} add */
  end(spot, add) {
    const graph = this.ours(spot);
    if (!graph) return;
    const { starts, ends } = this.here(spot);
    const refused = this.whyNotEnd(spot);
    if (refused) return this.refuse(refused, spot, 'end');
    this.point(spot.graph, starts, unique([...(add ? ends : []), ...endsWithin(graph, spot.ends, starts)]));
  }

  /** The starts and ends in the graph of an operator: a choice does not reach over graphs. @param {{graph: string}} spot */
  here(spot) {
    const { choice } = this;
    return choice.graph === spot.graph ? { starts: choice.starts, ends: choice.ends } : { starts: [], ends: [] };
  }

  /** @param {Spot} spot @returns {string | null} */
  whyNotEnd(spot) {
    const graph = this.app.loaded(0, spot.graph);
    if (spot.ends.every((op) => graph?.stored[op])) return t('refuse.constants', { name: spot.name });
    const refused = graph && refuseEnd(graph, spot.ends, this.here(spot).starts);
    if (!graph || !refused) return null;
    const names = { name: spot.name, start: graph.names[refused.other] };
    return t(refused.why === 'above' ? 'refuse.end.above' : 'refuse.end.apart', names);
  }

  /** @param {Spot} spot @returns {string | null} */
  whyNotStart(spot) {
    const graph = this.app.loaded(0, spot.graph);
    if (spot.starts.every((op) => graph?.stored[op])) return t('refuse.constants', { name: spot.name });
    const refused = graph && refuseStart(graph, spot.starts, this.here(spot).ends);
    if (!graph || !refused) return null;
    const names = { name: spot.name, end: graph.names[refused.other] };
    return t(refused.why === 'above' ? 'refuse.start.below' : 'refuse.start.apart', names);
  }

  /** What to trade places with, where that would make sense of a refused choice. @param {Spot} spot @param {"start" | "end"} role */
  swappable(spot, role) {
    const graph = this.app.loaded(0, spot.graph);
    if (!graph) return null;
    const { starts, ends } = this.here(spot);
    const refused = role === 'end' ? refuseEnd(graph, spot.ends, starts) : refuseStart(graph, spot.starts, ends);
    return refused?.why === 'above' ? refused.other : null;
  }

  /** @param {Spot} spot @param {"start" | "end"} role  what it was to be */
  swap(spot, role) {
    const graph = this.app.loaded(0, spot.graph);
    if (!graph) return;
    const { starts, ends } = this.here(spot);
    if (role === 'end') this.point(spot.graph, startsWithin(graph, spot.starts, starts), [...starts]);
    else this.point(spot.graph, [...ends], endsWithin(graph, spot.ends, ends));
  }

  /** @param {string} why @param {Spot} spot @param {"start" | "end"} role */
  refuse(why, spot, role) {
    this.dismiss();
    const swap = { text: t('refuse.swap'), run: () => this.swap(spot, role) };
    this.dismiss = notify(why, { kind: 'bad', action: this.swappable(spot, role) === null ? undefined : swap });
  }

  /** The graph, if it is one of the original: only that can be cut. @param {Spot} spot */
  ours(spot) {
    if (spot.model === 0) return this.app.loaded(0, spot.graph);
    notify(t('refuse.foreign'), { kind: 'bad' });
    return undefined;
  }

  /** @param {"start" | "end"} role @param {number[]} ids */
  remove(role, ids) {
    const { graph, starts, ends } = this.choice;
    const left = (/** @type {number[]} */ all) => all.filter((id) => !ids.includes(id));
    if (role === 'start') this.point(graph, left(starts), ends);
    else this.point(graph, starts, left(ends));
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
