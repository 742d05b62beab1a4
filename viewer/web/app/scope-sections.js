/** The details of a name scope or of a body: what it holds, and the tensors that enter and leave it. */

import { h } from './dom.js';
import { t } from './i18n.js';
import { opLink, READERS } from './sections.js';
import { button } from './widgets.js';

/** @typedef {ReturnType<import('../engine/engine.js').contents>} Contents */
/** @typedef {Contents["enters"][number]} Crossing */
/** @typedef {import('./sections.js').Ways} Ways */

/**
 * @param {Contents} contents
 * @param {Ways} ways
 * @returns {{key: string, title: string, count: number | null, content: HTMLElement}[]}
 */
export function scopeSections({ types, enters, leaves }, ways) {
  return [
    { key: 'types', title: t('info.types'), count: types.length, content: typesOf(types) },
    { key: 'inputs', title: t('info.enters'), count: enters.length, content: portsOf(enters, ways) },
    { key: 'outputs', title: t('info.leaves'), count: leaves.length, content: portsOf(leaves, ways) },
  ];
}

/**
 * @param {{key: string, name: string}} body
 * @param {number} owner  the operator that runs it
 * @param {Ways} ways
 */
export function bodySections({ key, name }, owner, ways) {
  const open = button({ text: t('info.opengraph'), class: 'button small' }, () => ways.open(key));
  const of = h('p', { class: 'port-ops' }, h('span', { class: 'hint', text: t('info.bodyof') }), ' ', opLink(owner, ways));
  return [{ key: 'bodies', title: name, count: null, content: h('div', { class: 'bodies' }, of, open) }];
}

/** @param {Contents["types"]} types */
function typesOf(types) {
  const rows = types.map(([name, n]) =>
    h('tr', {}, h('th', { scope: 'row', class: 'mono', text: name }), h('td', { text: String(n) })),
  );
  return h('table', { class: 'counts' }, h('tbody', {}, ...rows));
}

/** @param {Crossing[]} crossings @param {Ways} ways */
function portsOf(crossings, ways) {
  if (!crossings.length) return h('p', { class: 'hint', text: t('info.none') });
  return h('ul', { class: 'ports' }, ...crossings.map((one) => portOf(one, ways)));
}

/** @param {Crossing} one @param {Ways} ways */
function portOf({ name, label, producer, readers, output }, ways) {
  const shown = readers.slice(0, READERS).map((id) => opLink(id, ways));
  const from = producer >= 0 ? [hint(t('info.from')), ' ', opLink(producer, ways)] : [hint(t('info.graphinput'))];
  return h(
    'li',
    {},
    h('div', { class: 'port-head' }, h('span', { class: 'tensor', text: name })),
    h('div', { class: 'type', text: label || t('info.unknown') }),
    h('p', { class: 'port-ops' }, ...from),
    shown.length > 0 && h('p', { class: 'port-ops' }, hint(t('info.to')), ' ', ...shown, more(readers.length)),
    output && h('p', {}, hint(t('info.graphoutput'))),
  );
}

/** @param {number} readers */
function more(readers) {
  return readers > READERS && hint(t('app.more', { n: readers - READERS }));
}

/** @param {string} text */
function hint(text) {
  return h('span', { class: 'hint', text });
}
