/**
 * One HTML file that shows the graph, its colours and what is known of its operators, without a server.
 *
 * The engine itself goes in, module by module, as data that an import map names; nothing is fetched when it is opened.
 *
 * @module
 * @typedef {import('./types.js').Columns} Columns
 * @typedef {import('./types.js').Marks} Marks
 */

import { escapeXml } from './svg.js';

/**
 * @typedef {object} Contents
 * @property {string} title
 * @property {Columns} columns
 * @property {Record<string, Columns>} [bodies] in the order of `FoldOptions.bodies`
 * @property {string[]} [open]
 * @property {boolean} [constants]
 * @property {Marks} [marks]
 * @property {Record<number, {title: string, rows: [string, string][]}[]>} [info] sections by id
 * @property {string} [language]
 * @property {'light' | 'dark' | 'auto'} [theme]
 * @property {import('./standalone_page.js').PageWords} [words]
 */

/** What the file holds as JSON. */
/** @typedef {Omit<Contents, 'marks'> & {marks: Record<string, unknown>}} Stored */

/** Where the page of the file begins; what it imports is followed from there. */
const ENTRY = 'standalone_page.js';
const IMPORT = /from '\.\/([\w]+\.js)'/g;
const POLICY = "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:";

const STYLE = `
html,body{margin:0;height:100%;font:13px/1.45 system-ui,"DejaVu Sans",sans-serif}
body{display:grid;grid-template:auto 1fr/1fr auto;color:#1d2430;background:#f7f8fa}
body.dark{color:#e8ebf0;background:#13161b}
header{grid-column:1/3;display:flex;gap:12px;align-items:center;padding:8px 12px;border-bottom:1px solid #8884}
h1{font-size:14px;margin:0 auto 0 0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
input,button{font:inherit;color:inherit;background:transparent;border:1px solid #8886;border-radius:6px;padding:4px 10px}
#graph{position:relative;min-width:0;min-height:0;overflow:hidden}
aside{width:300px;overflow:auto;padding:12px;box-sizing:border-box;border-left:1px solid #8884}
h2{font-size:13px;margin:14px 0 4px}h2:first-child{margin-top:0}
dl{margin:0;display:grid;grid-template-columns:auto 1fr;gap:2px 10px}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
`;

/**
 * Marks as JSON has them: lists for arrays, null for what is not a number.
 *
 * @param {Marks} marks
 * @returns {Record<string, unknown>}
 */
export function storedMarks({ colours, values, ...marks }) {
  const lists = Object.entries(marks).map(([name, value]) => [name, value instanceof Uint8Array ? [...value] : value]);
  if (!colours) return Object.fromEntries(lists);
  const numbers = Array.from(colours, (value) => (Number.isNaN(value) ? null : value));
  const texts = values ? numbers.map((value, id) => (value === null ? '' : values(id))) : null;
  return { ...Object.fromEntries(lists), colours: numbers, values: texts };
}

/**
 * The sources of the modules that the file needs, by name.
 *
 * @param {(name: string) => Promise<string>} read
 */
async function modules(read) {
  /** @type {Map<string, string>} */
  const sources = new Map();
  for (const todo = [ENTRY]; todo.length > 0; ) {
    const name = /** @type {string} */ (todo.pop());
    if (sources.has(name)) continue;
    const source = await read(name);
    for (const [, imported] of source.matchAll(IMPORT)) todo.push(imported);
    sources.set(name, source.replace(IMPORT, "from 'subcut/$1'"));
  }
  return sources;
}

/** Text that cannot end the script element it stands in. @param {unknown} value */
function inScript(value) {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

/**
 * @param {Contents} contents
 * @param {(name: string) => Promise<string>} [read] the source of a module of the engine
 * @returns {Promise<string>} the file
 */
export async function standalone(contents, read = fetchModule) {
  const sources = await modules(read);
  /** @type {Record<string, string>} */
  const imports = {};
  for (const [name, source] of sources) {
    imports[`subcut/${name}`] = `data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`;
  }
  const data = { ...contents, marks: storedMarks(contents.marks ?? {}) };
  return [
    '<!doctype html>',
    `<html lang="${escapeXml(contents.language ?? 'en')}"><head><meta charset="utf-8">`,
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(contents.title)}</title><style>${STYLE}</style>`,
    `<script type="importmap">${inScript({ imports })}</script></head>`,
    '<body><header><h1></h1></header><div id="graph"></div><aside></aside>',
    `<script type="application/json" id="data">${inScript(data)}</script>`,
    `<script type="module">import { start } from 'subcut/${ENTRY}'; start();</script></body></html>`,
    '',
  ].join('\n');
}

/** @param {string} name */
async function fetchModule(name) {
  const answer = await fetch(new URL(`./${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.text();
}
