/** What is typed into the search field: its kinds and prefixes, and hits with the best first. */

/** @typedef {"op" | "type" | "tensor" | "attr"} Kind */
/**
 * @typedef {object} Query
 * @property {string} text  what was typed, trimmed
 * @property {Kind | null} kind  the kind asked for by a prefix
 * @property {string} needle  lower case; "" for a regular expression
 * @property {RegExp | null} regex
 * @property {string} problem  why a regular expression cannot be read
 */
/** @typedef {import('../engine/engine.js').SearchIndex} SearchIndex */
/**
 * @typedef {object} Found
 * @property {number[]} ops  best first
 * @property {number[]} types  indices of words
 * @property {number[]} tensors  indices of tensors, best first
 */

/** Tensors that are listed below the operators; `tensor:` lists them all. */
const MOST_TENSORS = 2000;
const PREFIXES = /** @type {Record<string, Kind>} */ ({
  name: 'op',
  op: 'op',
  type: 'type',
  tensor: 'tensor',
  attr: 'attr',
});

/**
 * `type:`, `name:`, `tensor:` and `attr:` ask for one kind; `%x` for tensors; `/…/` is a regular expression.
 * @param {string} typed
 * @returns {Query}
 */
export function readQuery(typed) {
  const text = typed.trim();
  const prefix = /^(\w+):(?!:)\s*(.+)$/s.exec(text);
  /** @type {Kind | null} */
  let kind = prefix ? (PREFIXES[prefix[1].toLowerCase()] ?? null) : null;
  let rest = kind && prefix ? prefix[2] : text;
  if (!kind && rest.startsWith('%') && rest.length > 1) {
    kind = 'tensor';
    rest = rest.slice(1);
  }
  const pattern = /^\/(.+)\/$/s.exec(rest);
  if (!pattern) return { text, kind, needle: rest.toLowerCase(), regex: null, problem: '' };
  // A scope such as /model/ is a name too: only what looks like a pattern is one.
  if (!/[\\^$.*+?()[\]{}|]/.test(pattern[1]))
    return { text, kind, needle: rest.toLowerCase(), regex: null, problem: '' };
  try {
    return { text, kind, needle: '', regex: new RegExp(pattern[1], 'i'), problem: '' };
  } catch (error) {
    return { text, kind, needle: '', regex: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether the unit before a hit belongs to the same word: lower-case letters and digits. @param {number} unit */
function inWord(unit) {
  return (unit >= 97 && unit <= 122) || (unit >= 48 && unit <= 57);
}

/**
 * Best first: the whole name, its beginning, after a separator, anywhere. At a hundred thousand hits this looks at the
 * index's one long text and makes no text of its own.
 * @param {SearchIndex} index
 * @param {"name" | "type" | "tensor"} kind
 * @param {Query} query
 * @param {number} [most]
 * @returns {number[]}  positions, else in the order of the graph
 */
function ranked(index, kind, query, most = Infinity) {
  const lines = index.of(kind);
  if (query.regex) return lines.matching(query.regex, most);
  const { joined, starts } = lines;
  const { needle } = query;
  /** @type {[number[], number[], number[], number[]]} */
  const buckets = [[], [], [], []];
  for (const line of lines.containing(needle, most)) {
    const start = starts[line];
    const at = joined.indexOf(needle, start);
    if (at > start) buckets[inWord(joined.charCodeAt(at - 1)) ? 3 : 2].push(line);
    else buckets[starts[line + 1] - start - 1 === needle.length ? 0 : 1].push(line);
  }
  return buckets[0].concat(buckets[1], buckets[2], buckets[3]);
}

/**
 * @param {SearchIndex} index
 * @param {Query} query
 * @returns {Found}
 */
export function search(index, query) {
  /** @type {Found} */
  const found = { ops: [], types: [], tensors: [] };
  if (query.problem || (!query.needle && !query.regex) || query.kind === 'attr') return found;
  const wants = (/** @type {Kind} */ kind) => query.kind === null || query.kind === kind;
  if (wants('type')) found.types = ranked(index, 'type', query).filter((type) => index.ofType.has(type));
  if (wants('op')) found.ops = storedLast(ranked(index, 'name', query), index.graph.stored);
  if (wants('tensor')) found.tensors = ranked(index, 'tensor', query, query.kind === null ? MOST_TENSORS : Infinity);
  // A tensor that is called as the operator that makes it would be said twice.
  if (query.kind === null) found.tensors = found.tensors.filter((at) => !sameName(index, at));
  return found;
}

/** Constants are rarely what is looked for. @param {number[]} ops @param {Uint8Array} stored */
function storedLast(ops, stored) {
  const last = ops.filter((op) => stored[op]);
  return last.length ? ops.filter((op) => !stored[op]).concat(last) : ops;
}

/** TensorFlow's second result is `name:1`. */
const COLON = 58;

/** @param {SearchIndex} index @param {number} tensor */
function sameName(index, tensor) {
  const { tensors, names } = index.graph.columns;
  const maker = tensors?.op[tensor] ?? -1;
  if (maker < 0) return false;
  const name = tensors?.names[tensor] ?? '';
  const made = names[maker];
  if (name.length === made.length) return name === made;
  return name.charCodeAt(made.length) === COLON && name.startsWith(made);
}

/**
 * The part of a name to make bold: start and end, or null.
 * @param {string} name
 * @param {Query} query
 * @returns {[number, number] | null}
 */
export function matched(name, query) {
  if (query.regex) {
    const match = query.regex.exec(name);
    return match && match[0] ? [match.index, match.index + match[0].length] : null;
  }
  const at = query.needle ? name.toLowerCase().indexOf(query.needle) : -1;
  return at < 0 ? null : [at, at + query.needle.length];
}

/**
 * Whether a text reads as a sentence of the selection language rather than as a name: the order of results hangs on it,
 * never what the text means.
 * @param {string} text
 */
export function looksLikeSelection(text) {
  return /^(from|to|after|around|op|all)\b\s*\S|\s(to|plus|minus|within|through|avoiding|before|by)\s|^\(|^all$|[*?;]|^re"/.test(
    text.trim(),
  );
}
