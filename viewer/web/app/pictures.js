/** Saves what a pane shows: as SVG, as PNG, or as a page that needs no server. */

import { standalone, toPng, toSvg } from '../engine/engine.js';
import { ask } from './api.js';
import { h } from './dom.js';
import { language, t } from './i18n.js';

/** @typedef {import('./pane.js').Pane} Pane */
/** @typedef {"svg" | "png" | "view-svg" | "view-png" | "html"} Picture */
/** @typedef {import('./types.js').OpInfo} OpInfo */
/** @typedef {{told?: (done: number, total: number) => void, signal?: AbortSignal}} Watch */

/** Operators up to which the server is asked for the parameters of each: a page has them all, or the structure alone. */
export const ASKED = 3000;
/** Questions at a time. */
const AT_ONCE = 6;

const ENDINGS = { svg: '.svg', png: '.png', 'view-svg': '-view.svg', 'view-png': '-view.png', html: '.html' };

/**
 * @param {Pane} pane
 * @param {Picture} what
 * @param {string} name  of the model
 * @param {Watch} [watch]  of a page that takes its time
 * @returns {Promise<string>} the file's name
 */
export async function savePicture(pane, what, name, watch) {
  const file = `${name.replace(/[^\p{L}\p{N}._-]+/gu, '_')}${ENDINGS[what]}`;
  download(await made(pane, what, name, watch), file);
  return file;
}

/** Whether what is saved leaves out what is known of the operators. @param {{graph: {count: number}}} pane @param {Picture} what */
export function lacksInfo({ graph }, what) {
  return what === 'html' && graph.count > ASKED;
}

/** @param {Pane} pane @param {Picture} what @param {string} title @param {Watch} [watch] @returns {Promise<Blob>} */
async function made(pane, what, title, watch) {
  const whole = !what.startsWith('view');
  if (what === 'png' || what === 'view-png') return toPng(pane.canvas, { whole });
  if (what === 'html') return new Blob([await page(pane, title, watch)], { type: 'text/html' });
  return new Blob([toSvg(pane.canvas, { whole, title })], { type: 'image/svg+xml' });
}

/** @param {Blob} blob @param {string} file */
function download(blob, file) {
  const url = URL.createObjectURL(blob);
  const link = h('a', { href: url, download: file });
  link.click();
  // The download has begun by then; the browser keeps what it needs.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {Pane} pane @param {string} title @param {Watch} [watch] */
async function page(pane, title, watch) {
  const bodies = Object.fromEntries([...pane.bodies].map(([key, graph]) => [key, graph.columns]));
  return standalone({
    title,
    columns: pane.graph.columns,
    bodies,
    open: [...pane.open],
    constants: pane.constants,
    marks: pane.marks,
    info: lacksInfo(pane, 'html') ? {} : await infoOf(pane, watch),
    language: language() === 'zh' ? 'zh-CN' : 'en',
    theme: document.documentElement.dataset.theme === 'dark' ? 'dark' : 'light',
    words: {
      search: t('search.short'),
      theme: t('settings.theme'),
      inputs: t('info.inputs'),
      readers: t('info.outputs'),
      none: lacksInfo(pane, 'html') ? t('picture.noinfo', { n: pane.graph.count }) : t('info.empty'),
      hits: t('search.next'),
    },
  });
}

/**
 * Parameters and types of each operator.
 * @param {Pane} pane
 * @param {Watch} [watch]
 * @returns {Promise<Record<number, {title: string, rows: [string, string][]}[]>>}
 */
async function infoOf(pane, { told, signal } = {}) {
  /** @type {Record<number, {title: string, rows: [string, string][]}[]>} */
  const found = {};
  const { count } = pane.graph;
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < count) {
      const op = next++;
      /** @type {OpInfo} */
      const info = await ask('/api/op', { model: pane.model, graph: pane.key, op }, signal);
      found[op] = sectionsOf(info);
      told?.(++done, count);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

/** @param {OpInfo} info @returns {{title: string, rows: [string, string][]}[]} */
function sectionsOf(info) {
  const errors = Object.entries(info.report ?? {}).filter(([, value]) => value !== null && value !== '');
  /** @type {{title: string, rows: [string, string][]}[]} */
  const sections = [
    { title: t('info.attributes'), rows: info.attributes.map(({ name, text }) => [name, text]) },
    { title: t('info.inputs'), rows: info.operands.map(({ tensor, type }) => [tensor, type]) },
    { title: t('info.outputs'), rows: info.results.map(({ tensor, type }) => [tensor, type]) },
    { title: t('info.offline'), rows: (info.offline?.rows ?? []).map(({ tensor, reason }) => [tensor, reason]) },
    { title: t('info.report'), rows: errors.map(([name, value]) => [name, String(value)]) },
  ];
  return sections.filter(({ rows }) => rows.length > 0);
}
