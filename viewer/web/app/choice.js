/** The choice of starts and ends, and the text that says the same: how each change leads to the next state. */

/**
 * @typedef {object} Choice
 * @property {string} graph  the graph that starts and ends lie in
 * @property {number[]} starts
 * @property {number[]} ends
 * @property {string} text
 * @property {"none" | "graph" | "text"} leads  who spoke last: the other side follows
 * @property {"idle" | "asking" | "ok" | "refused"} state
 * @property {import('./types.js').Chosen | null} chosen  what the server made of the text, the last time it understood: it
 *   holds for the text of now only while the state is "ok"
 * @property {import('./types.js').Diagnostic[]} diagnostics
 */

/** @returns {Choice} */
export function nothing() {
  return {
    graph: '',
    starts: [],
    ends: [],
    text: '',
    leads: 'none',
    state: 'idle',
    chosen: null,
    diagnostics: [],
  };
}

/**
 * The user pointed at operators: the text follows.
 * @param {Choice} choice
 * @param {string} graph
 * @param {number[]} starts
 * @param {number[]} ends
 * @returns {Choice}
 */
export function point(choice, graph, starts, ends) {
  if (!starts.length && !ends.length) return nothing();
  return { ...choice, graph, starts, ends, leads: 'graph', state: 'asking', diagnostics: [] };
}

/**
 * The user typed: starts and ends follow, when the text is understood.
 * @param {Choice} choice
 * @param {string} text
 * @returns {Choice}
 */
export function write(choice, text) {
  if (!text.trim()) return { ...nothing(), text };
  return { ...choice, text, leads: 'text', state: 'asking' };
}

/**
 * The server put the pointed-at operators into words.
 * @param {Choice} choice
 * @param {string} text
 * @returns {Choice}
 */
export function worded(choice, text) {
  return choice.leads === 'graph' ? { ...choice, text } : choice;
}

/**
 * The server answered what a text selects. A text that the user typed stays as typed; what was pointed at stays pointed at.
 * @param {Choice} choice
 * @param {import('./types.js').Chosen | import('./types.js').Refused} answer
 * @returns {Choice}
 */
export function answered(choice, answer) {
  if (!answer.ok) {
    const kept = choice.leads === 'graph' ? {} : { starts: [], ends: [] };
    return { ...choice, ...kept, chosen: null, state: 'refused', diagnostics: answer.diagnostics };
  }
  const led = choice.leads === 'graph' ? {} : { starts: answer.starts, ends: answer.ends, graph: answer.graph ?? '' };
  return { ...choice, ...led, state: 'ok', chosen: answer, diagnostics: [] };
}

/**
 * Why operators cannot become ends (or starts), seen from what is chosen on the other side.
 * @typedef {{why: "above" | "apart", other: number}} Refusal
 * @typedef {{reach: (roots: number[]) => Uint8Array, coreach: (roots: number[]) => Uint8Array}} Reaching
 */

/**
 * Row S9: an end has to be reached from a start. Of the ends of a scope one is enough.
 * @param {Reaching} graph
 * @param {number[]} ids
 * @param {number[]} starts
 * @returns {Refusal | null}
 */
export function refuseEnd(graph, ids, starts) {
  if (!starts.length || endsWithin(graph, ids, starts).length) return null;
  const below = graph.reach(ids);
  const other = starts.find((start) => below[start]);
  return other === undefined ? { why: 'apart', other: starts[0] } : { why: 'above', other };
}

/**
 * The same for starts, which have to reach an end.
 * @param {Reaching} graph
 * @param {number[]} ids
 * @param {number[]} ends
 * @returns {Refusal | null}
 */
export function refuseStart(graph, ids, ends) {
  if (!ends.length || startsWithin(graph, ids, ends).length) return null;
  const above = graph.coreach(ids);
  const other = ends.find((end) => above[end]);
  return other === undefined ? { why: 'apart', other: ends[0] } : { why: 'above', other };
}

/**
 * Those of the operators that a start leads to: all of them while there is no start.
 * @param {Reaching} graph
 * @param {number[]} ids
 * @param {number[]} starts
 */
export function endsWithin(graph, ids, starts) {
  if (!starts.length) return ids;
  const reached = graph.reach(starts);
  return ids.filter((id) => reached[id]);
}

/** @param {Reaching} graph @param {number[]} ids @param {number[]} ends */
export function startsWithin(graph, ids, ends) {
  if (!ends.length) return ids;
  const needed = graph.coreach(ends);
  return ids.filter((id) => needed[id]);
}

/**
 * What is blue before the server has answered: between starts and ends, with only one of them all that it can lead to.
 * @param {{reach: (roots: number[]) => Uint8Array, coreach: (roots: number[]) => Uint8Array, between: (starts: number[], ends: number[]) => Uint8Array}} graph
 * @param {Choice} choice
 * @returns {Uint8Array | null}
 */
export function blue(graph, choice) {
  if (choice.starts.length && choice.ends.length) return graph.between(choice.starts, choice.ends);
  if (choice.starts.length) return graph.reach(choice.starts);
  if (choice.ends.length) return graph.coreach(choice.ends);
  return null;
}
