/** What the page remembers, in one object; views listen to the keys that they show. */

import { nothing } from './choice.js';

/** @typedef {import('./types.js').Place} Place */
/**
 * @typedef {object} Job  the one job of the server, as its events tell it
 * @property {"export" | "verify"} what
 * @property {"running" | "done" | "failed" | "cancelled"} state
 * @property {string} stage
 * @property {number} done
 * @property {number} total  0 while unknown
 * @property {string[]} log
 * @property {string} folder
 * @property {string[]} files
 * @property {string} [code]  of what it failed with, as the diagnostics have it
 * @property {string} message  why it failed, or what verification found
 * @property {string[]} help
 */
/**
 * @typedef {object} Hits  what a search found, to step through
 * @property {number[]} ids
 * @property {number} at
 * @property {Uint8Array | null} all  by operator, for a search that highlights them all
 */
/**
 * @typedef {object} Overlay
 * @property {boolean} on
 * @property {string} metric
 * @property {boolean} own  own error, or with what it inherits
 * @property {number} threshold
 */
/**
 * @typedef {object} State
 * @property {import('./types.js').Session | null} session
 * @property {string} language
 * @property {"auto" | "light" | "dark"} theme
 * @property {Place | null} selected
 * @property {{model: number, scope: string} | null} scope  the name scope or body that has the focus, if one has it
 * @property {Hits | null} hits
 * @property {import('./choice.js').Choice} choice
 * @property {import('./choice.js').Choice[]} past  choices to go back to
 * @property {Job | null} job
 * @property {boolean} connected
 * @property {Overlay} overlay
 * @property {boolean} pair  both models side by side
 * @property {boolean} showCut
 * @property {boolean} showInfo
 * @property {number} drawn  counts what the panes have drawn anew
 */

/** @returns {State} */
export function initial() {
  return {
    session: null,
    language: 'en',
    theme: 'auto',
    selected: null,
    scope: null,
    hits: null,
    choice: nothing(),
    past: [],
    job: null,
    connected: true,
    overlay: { on: false, metric: '', own: true, threshold: 0 },
    pair: false,
    showCut: true,
    showInfo: true,
    drawn: 0,
  };
}
