/** What a search shows, as rows: the selection it is, then types, operators, tensors and attributes, with their headings. */

import { looksLikeSelection, search } from "./search.js";

/** @typedef {import("./search.js").Query} Query */
/**
 * @typedef {object} Row
 * @property {"select" | "head" | "type" | "op" | "tensor" | "attr"} kind
 * @property {number} at  the operator, tensor or type; a heading's number of hits
 * @property {"type" | "op" | "tensor" | "attr"} [group]  of a heading
 */

/**
 * @param {import("../engine/engine.js").SearchIndex} index
 * @param {Query} query
 * @param {{ops: number[], text: string} | null} selection  what the server says the text selects
 * @param {number[]} byAttribute  operators that the server found by their attributes
 * @returns {Row[]}
 */
export function rowsOf(index, query, selection, byAttribute) {
  const found = search(index, query);
  /** @type {Row[]} */
  const rows = [];
  if (selection) rows.push({ kind: "select", at: selection.ops.length });
  /** @type {["type" | "op" | "tensor" | "attr", number[]][]} */
  const groups = [["op", found.ops], ["type", found.types], ["tensor", found.tensors], ["attr", byAttribute]];
  // Who types the beginning of a type means all of them more often than a name that contains it.
  if (found.types.length && exactType(index, query)) groups.sort((one, other) => Number(other[0] === "type") - Number(one[0] === "type"));
  for (const [kind, places] of groups) {
    if (!places.length) continue;
    rows.push({ kind: "head", at: places.length, group: kind });
    for (const at of places) rows.push({ kind, at });
  }
  return rows;
}

/** @param {import("../engine/engine.js").SearchIndex} index @param {Query} query */
function exactType(index, query) {
  return query.kind === "type" || index.graph.columns.types.words.some((word) => word.toLowerCase() === query.needle);
}

/**
 * The row that Enter takes: a sentence is a selection, a word is a search.
 * @param {Row[]} rows
 * @param {Query} query
 */
export function firstChoice(rows, query) {
  if (rows[0]?.kind === "select" && looksLikeSelection(query.text)) return 0;
  const hit = rows.findIndex((row) => row.kind !== "head" && row.kind !== "select");
  return hit >= 0 ? hit : rows.length ? 0 : -1;
}

/**
 * The next row that can be chosen.
 * @param {Row[]} rows
 * @param {number} at
 * @param {1 | -1} step
 */
export function neighbour(rows, at, step) {
  for (let next = at + step; next >= 0 && next < rows.length; next += step) if (rows[next].kind !== "head") return next;
  return at;
}
