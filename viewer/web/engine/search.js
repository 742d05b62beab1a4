/**
 * Search of names, types and tensors while typing: one long lower-case text per kind, so that a keystroke costs
 * milliseconds at a hundred thousand operators.
 *
 * @module
 * @typedef {import('./graph.js').Graph} Graph
 * @typedef {{op: number, kind: 'name' | 'type' | 'tensor', text: string}} Found
 */

const PATTERN = /^\/(.+)\/$/;

/** Texts joined by line ends, with the place where each begins. */
class Lines {
  /** @param {string[]} texts */
  constructor(texts) {
    this.texts = texts;
    this.starts = new Int32Array(texts.length + 1);
    const lower = texts.map((text) => flat(text));
    for (let i = 0; i < texts.length; i++) this.starts[i + 1] = this.starts[i] + lower[i].length + 1;
    this.joined = lower.join('\n');
  }

  /**
   * Numbers of the texts that contain the word, in order.
   *
   * @param {string} word in lower case
   * @param {number} limit
   */
  containing(word, limit) {
    /** @type {number[]} */
    const found = [];
    const { starts, joined } = this;
    let line = 0;
    let at = joined.indexOf(word);
    while (at >= 0 && found.length < limit) {
      while (starts[line + 1] <= at) line++;
      found.push(line++);
      at = line < this.texts.length ? joined.indexOf(word, starts[line]) : -1;
    }
    return found;
  }

  /**
   * @param {RegExp} pattern
   * @param {number} limit
   */
  matching(pattern, limit) {
    /** @type {number[]} */
    const found = [];
    for (let i = 0; i < this.texts.length && found.length < limit; i++) if (pattern.test(this.texts[i])) found.push(i);
    return found;
  }
}

/** Lower case, of the same length, and without line ends. @param {string} text */
function flat(text) {
  const lower = text.toLowerCase();
  return (lower.length === text.length ? lower : text).replace(/\n/g, ' ');
}

/**
 * `/…/` is a regular expression; one that is not finished yet finds nothing.
 *
 * @param {string} query
 * @returns {{word: string} | {pattern: RegExp} | null}
 */
export function parseQuery(query) {
  const match = PATTERN.exec(query);
  if (!match) return { word: flat(query.trim()) };
  try {
    return { pattern: new RegExp(match[1], 'i') };
  } catch {
    return null;
  }
}

/** An index of one graph; its parts are made when first asked for. */
export class SearchIndex {
  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    /** @type {Map<string, Lines>} */
    this.lines = new Map();
    /** Operators of each type. @type {Map<number, number[]>} */
    this.ofType = new Map();
    graph.type.forEach((type, op) => {
      const list = this.ofType.get(type);
      if (list) list.push(op);
      else this.ofType.set(type, [op]);
    });
  }

  /**
   * @param {'name' | 'type' | 'tensor'} kind
   * @returns {Lines}
   */
  of(kind) {
    const known = this.lines.get(kind);
    if (known) return known;
    const { names, types, tensors } = this.graph.columns;
    const texts = { name: names, type: types.words, tensor: tensors?.names ?? [] };
    const made = new Lines(texts[kind]);
    this.lines.set(kind, made);
    return made;
  }

  /**
   * What a query finds: names first, then types, then tensors; an operator is found at most once per kind.
   *
   * @param {string} query
   * @param {{names?: boolean, types?: boolean, tensors?: boolean, limit?: number}} [options]
   * @returns {Found[]}
   */
  find(query, { names = true, types = true, tensors = true, limit = Infinity } = {}) {
    const parsed = parseQuery(query);
    if (!parsed || ('word' in parsed && parsed.word === '')) return [];
    /** @type {Found[]} */
    const found = [];
    const search = (/** @type {'name' | 'type' | 'tensor'} */ kind) => {
      const left = limit - found.length;
      const lines = this.of(kind);
      return 'word' in parsed ? lines.containing(parsed.word, left) : lines.matching(parsed.pattern, left);
    };
    if (names) for (const op of search('name')) found.push({ op, kind: 'name', text: this.graph.names[op] });
    if (types) for (const type of search('type')) this.addType(found, type, limit);
    if (tensors) {
      const { op = [], names: texts = [] } = this.graph.columns.tensors ?? {};
      for (const at of search('tensor')) found.push({ op: op[at], kind: 'tensor', text: texts[at] });
    }
    return found;
  }

  /**
   * @param {Found[]} found
   * @param {number} type
   * @param {number} limit
   */
  addType(found, type, limit) {
    const text = this.graph.columns.types.words[type];
    for (const op of this.ofType.get(type) ?? []) {
      if (found.length >= limit) return;
      found.push({ op, kind: 'type', text });
    }
  }
}
