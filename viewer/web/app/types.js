/** What the server answers, and what the page remembers: types alone. */

/** @typedef {{name: string, format: string, count: number, tensors: number, side: string}} ModelSummary */
/** @typedef {{text: string, recorded?: string, original?: string}} NameQuestion */
/**
 * @typedef {object} Session
 * @property {ModelSummary[]} models  the original, then at most one beside it
 * @property {string} language  "en" or "zh"
 * @property {string} output  the folder that results go to
 * @property {boolean} offline
 * @property {boolean} dumps
 * @property {boolean} report
 * @property {string} selection  the text to begin with
 * @property {string[]} warnings
 * @property {boolean} [typed]  false while the server looks for types that no file states
 * @property {string | NameQuestion} [question]
 */
/** @typedef {import('../engine/types.js').Columns} Columns  a graph as the server sends it */
/** @typedef {{key: string, name: string}} Body */
/** @typedef {{graph: string, op: number, name: string, type: string}} Elsewhere  a hit in a graph that is not on screen */
/** @typedef {{name: string, type: string, text: string}} Attribute */
/** @typedef {{slot: string | number, tensor: string, type: string, producer: number, why?: string, stored?: boolean}} Operand */
/** @typedef {{tensor: string, type: string, readers: number[]}} Result */
/**
 * @typedef {object} Preview
 * @property {(number | string)[]} first
 * @property {number | null} [min]
 * @property {number | null} [max]
 * @property {number | null} [mean]
 * @property {number} [zeros]
 * @property {number} [nan]
 * @property {number} [inf]
 * @property {{edges: number[], counts: number[]} | null} [histogram]
 * @property {number} [skipped]  elements of a tensor that is too big to be read for a look
 */
/** @typedef {{tensor: string, type: string, preview?: Preview | null}} Constant */
/**
 * @typedef {object} Offline  which offline operators cover an operator, and where its tensors were stored, or why not
 * @property {{name: string, type: string, ops: number[]}[]} groups
 * @property {{tensor: string, reason: string, file: string | null, slot: string | null, note: string | null}[]} rows
 */
/**
 * @typedef {object} OpInfo
 * @property {string} name
 * @property {string} type
 * @property {Attribute[]} attributes
 * @property {Operand[]} operands
 * @property {Result[]} results
 * @property {(string | number)[]} [controls]
 * @property {Body[]} [bodies]
 * @property {Constant[]} constants
 * @property {string} record
 * @property {string[]} [problems]  what could not be read
 * @property {Offline} [offline]
 * @property {Record<string, unknown>} [report]
 */
/**
 * @typedef {object} Edge  of a cut
 * @property {string} tensor
 * @property {string} type
 * @property {number} [producer]  -1 for what no operator of the graph makes
 * @property {number} [output]  which result of the producer
 * @property {number[]} [consumers]
 * @property {string} reason
 * @property {boolean} [side]
 */
/** @typedef {{code: string, message: string, start: number | null, end: number | null, help?: string[]}} Diagnostic */
/**
 * @typedef {object} Chosen  a text that the server understood
 * @property {true} ok
 * @property {string} text
 * @property {string} [graph]
 * @property {number[]} ops
 * @property {number[]} starts
 * @property {number[]} ends
 * @property {Edge[]} inputs
 * @property {Edge[]} outputs
 * @property {number} constants
 * @property {string[]} needs  tensors whose type nobody states
 * @property {string[]} [folded]  side inputs that become constants
 */
/** @typedef {{ok: false, diagnostics: Diagnostic[]}} Refused */
/**
 * @typedef {object} JobEvent
 * @property {"progress" | "log" | "done" | "failed" | "heartbeat" | "types"} kind  types: those that no file states are known now
 * @property {string | number} [job]
 * @property {string} [what]
 * @property {string} [stage]
 * @property {number} [done]
 * @property {number} [total]
 * @property {string} [time]
 * @property {string} [text]
 * @property {string} [folder]
 * @property {(string | {name: string, size?: number})[]} [files]
 * @property {Record<string, number>} [counts]
 * @property {boolean} [good]  what a verification found
 * @property {string[]} [warnings]
 * @property {unknown[]} [commands]  what to run next
 * @property {string} [code]
 * @property {string} [message]
 * @property {string[]} [help]
 */
/**
 * @typedef {object} Report  errors by operator, parallel columns
 * @property {number[]} op
 * @property {(number | null)[]} total  the error of what it makes
 * @property {(number | null)[]} own  the part that it adds itself
 * @property {(boolean | null)[]} inherited
 * @property {(number | null)[]} limit
 * @property {string[]} verdict
 * @property {string[]} note
 * @property {string[]} tensor
 * @property {string[]} names  of metrics
 * @property {Record<string, (number | null)[]>} metrics
 * @property {number[]} curve  places of these columns in order of depth
 */

/** @typedef {{model: number, graph: string, id: number}} Place  one operator */
/**
 * @typedef {object} Spot  what a cut can start or end at: an operator, or a scope
 * @property {number} model
 * @property {string} graph
 * @property {string} name
 * @property {number[]} starts  the operators to start at: of a scope those that data enters at
 * @property {number[]} ends
 */

export {};
