/** The page as a whole: what is loaded, what is chosen, and the ways from one place to another. */

import { ask, listen } from './api.js';
import { speak, t } from './i18n.js';
import { told } from './job.js';
import { remember } from './memory.js';
import { Pane } from './pane.js';
import { Selecting } from './selecting.js';
import { initial } from './state.js';
import { Store } from './store.js';
import { readGraph } from '../engine/engine.js';
import { complain, notify } from './widgets.js';

/** @typedef {import('../engine/engine.js').Graph} Graph */
/** @typedef {import('./types.js').Place} Place */

/** Pixels below which a second graph takes the place of the operator's panel. */
const NARROW = 1500;

export class App {
  constructor() {
    this.store = new Store(initial());
    this.selecting = new Selecting(this);
    /** @type {Pane[]} */
    this.panes = [];
    /** The pane that had the focus last: search and keys are about its graph. */
    this.activeAt = 0;
    /** @type {Map<string, Graph>} */
    this.graphs = new Map();
    /** @type {Map<string, Promise<Graph>>} */
    this.asked = new Map();
    /** @type {import('./compare.js').Compare | null} */
    this.compare = null;
    /** @type {{bar: import('./bar.js').Bar, status: import('./status.js').Status} | null} */
    this.views = null;
    matchMedia('(forced-colors: active)').addEventListener('change', () => this.setTheme(this.store.state.theme));
    this.store.on(['choice'], () => this.markChoice());
    this.store.on(['hits'], () => this.markHits());
  }

  get active() {
    return this.panes[this.activeAt] ?? this.panes[0];
  }

  /** The graph of the original that is on screen: "" is the main one. */
  get shownGraph() {
    return this.panes[0]?.key ?? '';
  }

  /** @param {number} model */
  paneOf(model) {
    return this.panes.find((pane) => pane.model === model);
  }

  /** A graph that has been fetched. @param {number} model @param {string} key @returns {Graph | undefined} */
  loaded(model, key) {
    return this.graphs.get(`${model} ${key}`);
  }

  /** @param {number} model @param {string} key @returns {Promise<Graph>} */
  async fetchGraph(model, key) {
    const name = `${model} ${key}`;
    const known = this.graphs.get(name);
    if (known) return known;
    const asked = this.asked.get(name) ?? ask('/api/graph', { model, graph: key }).then(readGraph);
    this.asked.set(name, asked);
    try {
      const graph = await asked;
      this.graphs.set(name, graph);
      return graph;
    } finally {
      this.asked.delete(name);
    }
  }

  /** How a body is called: by the operator that runs it. @param {string} key */
  graphName(key) {
    if (key === '') return t('stage.main');
    for (const graph of this.graphs.values()) {
      for (const [op, bodies] of Object.entries(graph.bodies)) {
        const body = bodies.find((one) => one.key === key);
        if (body) return `${graph.names[Number(op)]} › ${body.name}`;
      }
    }
    return key;
  }

  /**
   * Opens the panes, once the session is known.
   * @param {HTMLElement} stage
   */
  async openPanes(stage) {
    const first = new Pane(this, 0, stage);
    this.panes = [first];
    this.setTheme(this.store.state.theme);
    await first.show('');
  }

  /** @param {string} key */
  async showGraph(key) {
    try {
      await this.active.show(key);
      this.markChoice();
      this.store.set({ selected: null, scope: null, hits: null, drawn: this.store.state.drawn + 1 });
    } catch (error) {
      complain(error);
    }
  }

  /**
   * Makes an operator the chosen one everywhere: box, details, the other pane.
   * @param {Place} place
   * @param {{centre?: boolean}} [options]
   */
  select(place, { centre = true } = {}) {
    const pane = this.paneOf(place.model);
    if (!pane) return;
    this.store.set({ selected: place, scope: null });
    void pane.choose(place, centre);
    this.follow(place);
  }

  unselect() {
    this.store.set({ selected: null, scope: null });
    for (const pane of this.panes) pane.mark({ selected: -1 });
  }

  /** The other model shows the operator of the same name. @param {Place} place */
  follow(place) {
    const other = this.panes.find((pane) => pane.model !== place.model);
    const graph = this.loaded(place.model, place.graph);
    if (!other || !graph) return;
    const id = other.counterpart(graph, place.id);
    if (id >= 0) void other.choose({ model: other.model, graph: other.key, id }, true);
    else other.mark({ selected: -1 });
  }

  /** @param {Place} place */
  centre(place) {
    void this.paneOf(place.model)?.choose(place, true);
  }

  focusGraph() {
    this.active?.focusable?.focus();
  }

  /**
   * What a search found; `all` highlights every one of them.
   * @param {number[]} ids
   * @param {number} target
   * @param {boolean} all
   */
  showHits(ids, target, all) {
    const marks = all ? new Uint8Array(this.active.graph.count) : null;
    if (marks) for (const id of ids) marks[id] = 1;
    this.store.set({ hits: { ids, at: Math.max(ids.indexOf(target), 0), all: marks } });
  }

  /** Every operator of the same type, beginning with this one. @param {Place} place */
  showType(place) {
    const pane = this.paneOf(place.model);
    if (!pane) return;
    const ids = pane.index.ofType.get(pane.graph.type[place.id]) ?? [];
    this.activeAt = this.panes.indexOf(pane);
    this.showHits(ids, place.id, true);
  }

  /** @param {1 | -1} step */
  stepHit(step) {
    const { hits, overlay } = this.store.state;
    if (!hits?.ids.length) return overlay.on ? this.compare?.step(step) : undefined;
    const at = (hits.at + step + hits.ids.length) % hits.ids.length;
    this.store.set({ hits: { ...hits, at } });
    this.select({ model: this.active.model, graph: this.active.key, id: hits.ids[at] });
  }

  markHits() {
    const { hits } = this.store.state;
    this.active?.mark({ hit: hits ? hits.ids[hits.at] : -1, hits: hits?.all ?? null });
  }

  markChoice() {
    this.panes[0]?.markChoice(this.store.state.choice);
    const other = this.panes[1];
    if (other) other.mirrorChoice(this.panes[0], this.store.state.choice);
  }

  /** Shows where the cut begins. */
  goToCut() {
    const { choice } = this.store.state;
    const id = choice.starts[0] ?? choice.chosen?.ops[0];
    if (id === undefined) return;
    const graph = choice.chosen?.graph ?? '';
    const go = () => this.select({ model: 0, graph, id });
    if (graph !== this.shownGraph) void this.showGraph(graph).then(go);
    else go();
    this.focusGraph();
  }

  async togglePair() {
    const pair = !this.store.state.pair;
    const stage = this.panes[0].element.parentElement;
    if (!stage) return;
    // Two graphs and two panels leave no room on a narrow screen; the panel is a click away.
    this.store.set(pair && innerWidth < NARROW ? { pair, showInfo: false } : { pair });
    if (pair) {
      const second = new Pane(this, 1, stage);
      this.panes.push(second);
      this.setTheme(this.store.state.theme);
      try {
        await second.show('');
        const { selected } = this.store.state;
        if (selected) this.follow(selected);
        this.markChoice();
      } catch (error) {
        complain(error);
      }
    } else {
      this.panes.pop()?.remove();
      this.activeAt = 0;
    }
  }

  listen() {
    listen(
      (event) => {
        if (event.kind === 'types') return void this.retype();
        const { job } = this.store.state;
        const next = told(job, event);
        if (next === job) return;
        this.store.set({ job: next });
        // A dialog that shows the job says it already.
        if (next && !document.querySelector('dialog .job')) announce(event, next);
      },
      (connected) => this.store.set({ connected }),
    );
  }

  /** The server has found types that no file states: they go on the edges, and everything stays where it is. */
  async retype() {
    const { session, selected, choice } = this.store.state;
    if (!session || session.typed !== false) return;
    this.store.set({ session: { ...session, typed: true } });
    for (const key of [...this.graphs.keys()]) if (key.startsWith('0 ')) this.graphs.delete(key);
    try {
      await Promise.all(this.panes.filter((pane) => pane.model === 0).map((pane) => pane.retype()));
    } catch (error) {
      return complain(error);
    }
    this.markChoice();
    if (choice.state === 'ok') void this.selecting.read(choice.text);
    if (selected) this.store.set({ selected: { ...selected } });
  }

  /** @param {string} name */
  setLanguage(name) {
    const language = speak(name);
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    remember('language', language);
    this.store.set({ language });
  }

  /** @param {"auto" | "light" | "dark"} theme */
  setTheme(theme) {
    const dark = theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    remember('theme', theme);
    this.store.set({ theme });
    for (const pane of this.panes) pane.themed(dark ? 'dark' : 'light');
  }
}

/** @param {import('./types.js').JobEvent} event @param {import('./state.js').Job} job */
function announce(event, job) {
  const verify = job.what === 'verify';
  if (job.state === 'failed') notify(`${t('job.failed')}: ${job.message}`, { kind: 'bad' });
  else if (event.kind === 'done')
    notify(`${t(verify ? 'job.done.verify' : 'job.done.export')}: ${job.folder ? `\`${job.folder}\`` : job.message}`, {
      kind: 'good',
    });
}
