/** Places in the selection text: the server counts characters, JavaScript counts UTF-16 units. */

/**
 * The position in UTF-16 units of a position in characters.
 * @param {string} text
 * @param {number} characters
 */
export function unitsAt(text, characters) {
  let units = 0;
  let left = characters;
  for (const character of text) {
    if (left-- <= 0) break;
    units += character.length;
  }
  return units;
}

/**
 * A text cut into marked and plain runs: where marks overlap, the one that begins first covers.
 * @template {{start: number, end: number}} M
 * @param {string} text
 * @param {M[]} marks  in UTF-16 units; an empty one is widened by a unit, so that it can be seen
 * @returns {{text: string, mark: M | null}[]}
 */
export function runs(text, marks) {
  /** @type {{text: string, mark: M | null}[]} */
  const parts = [];
  let at = 0;
  for (const mark of [...marks].sort((one, other) => one.start - other.start)) {
    const start = Math.min(Math.max(mark.start, at), text.length);
    const end = Math.min(Math.max(mark.end, mark.start + 1), text.length);
    if (end <= start) continue;
    if (start > at) parts.push({ text: text.slice(at, start), mark: null });
    parts.push({ text: text.slice(start, end), mark });
    at = end;
  }
  if (at < text.length) parts.push({ text: text.slice(at), mark: null });
  return parts;
}

const KEYWORDS = new Set(
  'from to after before through avoiding around by plus minus within all op input freeze tap snap outward inward as let cut leaving'.split(
    ' ',
  ),
);

/**
 * The colours of a selection text. This says what a word looks like, not what it means: only the server parses.
 * @param {string} text
 * @returns {{start: number, end: number, kind: "keyword" | "string" | "tensor" | "comment"}[]}
 */
export function tokens(text) {
  /** @type {{start: number, end: number, kind: "keyword" | "string" | "tensor" | "comment"}[]} */
  const found = [];
  const pattern = /#[^\n]*|"(?:\\.|[^"\\])*"?|%[^\s,;(){}"]+|[^\s,;(){}"%]+/g;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const word = match[0];
    const place = { start: match.index, end: match.index + word.length };
    if (word[0] === '#') found.push({ ...place, kind: 'comment' });
    else if (word[0] === '"') found.push({ ...place, kind: 'string' });
    else if (word[0] === '%') found.push({ ...place, kind: 'tensor' });
    else if (KEYWORDS.has(word)) found.push({ ...place, kind: 'keyword' });
  }
  return found;
}
