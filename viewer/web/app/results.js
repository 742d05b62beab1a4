/** What a search shows, as rows: the selection it is, then types, operators, tensors and attributes, with their headings. */

import { looksLikeSelection, search } from './search.js';

/** @typedef {import('./search.js').Query} Query */
/**
 * @typedef {object} Row
 * @property {"select" | "head" | Group} kind
 * @property {number} at  the operator, tensor, type or place in `elsewhere`; a heading's number of hits
 * @property {Group} [group]  of a heading
 */

/** @typedef {"type" | "op" | "tensor" | "attr" | "elsewhere"} Group */

/** Rows, made when they are looked at: a single letter may match all of a hundred thousand operators. */
export class Rows {
  /** @param {boolean} selection @param {number} selected @param {[Group, number[]][]} groups */
  constructor(selection, selected, groups) {
    this.selection = selection ? 1 : 0;
    this.selected = selected;
    this.groups = groups.filter(([, places]) => places.length > 0);
    this.length = this.groups.reduce((sum, [, places]) => sum + places.length + 1, this.selection);
  }

  /** @param {number} at @returns {Row | undefined} */
  at(at) {
    if (at < this.selection) return at === 0 ? { kind: 'select', at: this.selected } : undefined;
    let rest = at - this.selection;
    for (const [kind, places] of this.groups) {
      if (rest === 0) return { kind: 'head', at: places.length, group: kind };
      if (rest <= places.length) return { kind, at: places[rest - 1] };
      rest -= places.length + 1;
    }
    return undefined;
  }

  /** Where a hit is, or -1. @param {Row} row */
  find(row) {
    if (row.kind === 'select') return this.selection - 1;
    let first = this.selection + 1;
    for (const [kind, places] of this.groups) {
      const found = kind === row.kind ? places.indexOf(row.at) : -1;
      if (found >= 0) return first + found;
      first += places.length + 1;
    }
    return -1;
  }

  /** All hits of a kind. @param {Group} kind */
  of(kind) {
    return this.groups.find(([group]) => group === kind)?.[1] ?? [];
  }
}

/**
 * @param {import('../engine/engine.js').SearchIndex} index
 * @param {Query} query
 * @param {{ops: number[], text: string} | null} selection  what the server says the text selects
 * @param {number[]} byAttribute  operators that the server found by their attributes
 * @param {number} [elsewhere]  how many it found in other graphs
 * @returns {Rows}
 */
export function rowsOf(index, query, selection, byAttribute, elsewhere = 0) {
  const found = search(index, query);
  /** @type {[Group, number[]][]} */
  const groups = [
    ['op', found.ops],
    ['type', found.types],
    ['tensor', found.tensors],
    ['attr', byAttribute],
    ['elsewhere', [...Array(elsewhere).keys()]],
  ];
  // Who types the whole name of a type means all of them more often than a name that contains it.
  if (found.types.length && exactType(index, query)) [groups[0], groups[1]] = [groups[1], groups[0]];
  return new Rows(selection !== null, selection?.ops.length ?? 0, groups);
}

/** @param {import('../engine/engine.js').SearchIndex} index @param {Query} query */
function exactType(index, query) {
  return query.kind === 'type' || index.graph.columns.types.words.some((word) => word.toLowerCase() === query.needle);
}

/**
 * The row that Enter takes: a sentence is a selection, a word is a search.
 * @param {Rows} rows
 * @param {Query} query
 */
export function firstChoice(rows, query) {
  if (rows.selection && (looksLikeSelection(query.text) || !rows.groups.length)) return 0;
  return rows.groups.length ? rows.selection + 1 : -1;
}

/**
 * The next row that can be chosen.
 * @param {Rows} rows
 * @param {number} at
 * @param {1 | -1} step
 */
export function neighbour(rows, at, step) {
  for (let next = at + step; next >= 0 && next < rows.length; next += step)
    if (rows.at(next)?.kind !== 'head') return next;
  return at;
}
