/**
 * The page of a file made by `standalone`: the graph, a search field, and what is known of the chosen operator.
 *
 * @module
 * @typedef {import('./types.js').Marks} Marks
 * @typedef {import('./graph.js').Graph} Graph
 */

import { Canvas } from './draw.js';
import { scopesAround, visible } from './fold.js';
import { readGraph } from './graph.js';
import { layoutHere } from './layouter.js';
import { locate } from './nodes.js';
import { SearchIndex } from './search.js';

/** @typedef {{search: string, theme: string, inputs: string, readers: string, none: string, hits: string}} PageWords */

/** @type {PageWords} */
const WORDS = {
  search: 'search',
  theme: 'light or dark',
  inputs: 'inputs',
  readers: 'readers',
  none: 'Choose an operator.',
  hits: 'Enter: next',
};

/**
 * Marks with their arrays again.
 *
 * @param {any} stored as `storedMarks` made it
 * @returns {Marks}
 */
export function revivedMarks({ colours, values, ...stored }) {
  /** @type {Record<string, unknown>} */
  const marks = { ...stored };
  for (const name of ['hits', 'between', 'edges', 'dumped']) if (stored[name]) marks[name] = Uint8Array.from(stored[name]);
  if (colours) marks.colours = Float32Array.from(colours, (/** @type {number | null} */ value) => value ?? NaN);
  if (values) marks.values = (/** @type {number} */ id) => values[id] ?? '';
  return marks;
}

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {string} [text]
 */
function element(name, text = '') {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

class Page {
  /** @param {import('./standalone.js').Stored} data */
  constructor(data) {
    this.data = data;
    this.words = { ...WORDS, ...data.words };
    this.graph = readGraph(data.columns);
    this.bodies = new Map(Object.entries(data.bodies ?? {}).map(([key, columns]) => [key, readGraph(columns)]));
    this.open = new Set(data.open ?? []);
    this.marks = revivedMarks(data.marks);
    this.canvas = new Canvas(/** @type {HTMLElement} */ (document.querySelector('#graph')));
    this.info = /** @type {HTMLElement} */ (document.querySelector('aside'));
    this.index = new SearchIndex(this.graph);
    this.place = 0;
    this.dark = data.theme === 'dark' || (data.theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  }

  start() {
    const { canvas } = this;
    canvas.onOpen = (scopes) => {
      const opens = scopes.some((scope) => !this.open.has(scope));
      for (const scope of scopes) opens ? this.open.add(scope) : this.open.delete(scope);
      if (scopes.length) this.show(scopes[0]);
    };
    canvas.onSelect = (id) => {
      this.marks = { ...this.marks, selected: id };
      this.describe(id);
    };
    this.addBar();
    this.setTheme();
    this.show();
    this.describe(this.marks.selected ?? -1);
  }

  addBar() {
    const header = /** @type {HTMLElement} */ (document.querySelector('header'));
    /** @type {HTMLElement} */ (header.querySelector('h1')).textContent = this.data.title;
    const field = element('input');
    field.type = 'search';
    field.placeholder = this.words.search;
    field.title = this.words.hits;
    field.setAttribute('aria-label', this.words.search);
    field.addEventListener('input', () => this.find(field.value, 0));
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') this.find(field.value, event.shiftKey ? -1 : 1);
    });
    const theme = element('button', '◐');
    theme.title = this.words.theme;
    theme.setAttribute('aria-label', this.words.theme);
    theme.addEventListener('click', () => {
      this.dark = !this.dark;
      this.setTheme();
    });
    header.append(field, theme);
  }

  setTheme() {
    document.body.classList.toggle('dark', this.dark);
    this.canvas.setTheme(this.dark ? 'dark' : 'light');
  }

  /** @param {number | string} [keep] */
  show(keep) {
    const view = visible(this.graph, { open: this.open, constants: this.data.constants, bodies: this.bodies });
    this.canvas.given = this.marks;
    this.canvas.setScene(view, layoutHere(view), { keep });
  }

  /**
   * @param {string} query
   * @param {number} by how many hits to go on
   */
  find(query, by) {
    const ops = [...new Set(this.index.find(query).map(({ op }) => op))].filter((op) => op >= 0);
    this.place = by === 0 || ops.length === 0 ? 0 : (this.place + by + ops.length) % ops.length;
    const hit = ops[this.place] ?? -1;
    const hits = new Uint8Array(this.graph.count);
    for (const op of ops) hits[op] = 1;
    this.marks = { ...this.marks, hit, hits };
    this.canvas.setMarks(this.marks);
    if (hit < 0) return;
    const around = scopesAround(this.graph, this.bodies, hit).filter((scope) => !this.open.has(scope));
    for (const scope of around) this.open.add(scope);
    if (around.length > 0) this.show();
    this.canvas.centre(hit);
    this.describe(hit);
  }

  /** @param {number} id */
  describe(id) {
    const { view } = this.canvas;
    if (id < 0 || !view) return this.info.replaceChildren(element('p', this.words.none));
    const { graph, op } = locate(view, id);
    /** @type {HTMLElement[]} */
    const parts = [element('h2', graph.typeName(op)), element('p', graph.names[op])];
    for (const { title, rows } of this.data.info?.[id] ?? this.known(graph, op)) {
      const list = element('dl');
      for (const [name, value] of rows) list.append(element('dt', name), element('dd', value));
      parts.push(element('h2', title), list);
    }
    this.info.replaceChildren(...parts);
  }

  /**
   * What the graph itself says of an operator.
   *
   * @param {Graph} graph
   * @param {number} op
   * @returns {{title: string, rows: [string, string][]}[]}
   */
  known(graph, op) {
    const labelOf = (/** @type {number} */ e) => (graph.label[e] < 0 ? '' : graph.labels[graph.label[e]]);
    const nameOf = (/** @type {number} */ from) => (from < 0 ? graph.inputs[-1 - from].name : graph.names[from]);
    const { forward, backward } = graph;
    const entering = Array.from(backward.items.subarray(backward.offsets[op], backward.offsets[op + 1]));
    const leaving = Array.from(forward.items.subarray(forward.offsets[op], forward.offsets[op + 1]));
    return [
      { title: this.words.inputs, rows: entering.map((e) => [nameOf(graph.from[e]), labelOf(e)]) },
      { title: this.words.readers, rows: leaving.map((e) => [graph.names[graph.to[e]], labelOf(e)]) },
    ];
  }
}

/** Shows what the file holds. */
export function start() {
  const data = document.querySelector('#data')?.textContent ?? '{}';
  new Page(JSON.parse(data)).start();
}
