/** The sections of an operator's details (row S3), from what the server says of it. */

import { h, said } from './dom.js';
import { t } from './i18n.js';
import { previewOf } from './preview.js';
import { short } from './scale.js';
import { button } from './widgets.js';

/** @typedef {import('./types.js').OpInfo} OpInfo */
/**
 * @typedef {object} Ways  where the details lead
 * @property {(id: number) => string} name
 * @property {(id: number) => void} go
 * @property {(key: string) => void} open
 */

/** Readers of a tensor that are listed; a mask may have thousands. */
export const READERS = 24;

/**
 * @param {OpInfo} info
 * @param {Ways} ways
 * @returns {{key: string, title: string, count: number | null, content: HTMLElement}[]}
 */
export function sectionsOf(info, ways) {
  const { attributes, operands, results, constants, controls = [], bodies = [] } = info;
  const all = [
    { key: 'attributes', title: t('info.attributes'), count: attributes.length, content: attributesOf(attributes) },
    {
      key: 'inputs',
      title: t('info.inputs'),
      count: operands.length,
      content: h('ul', { class: 'ports' }, ...operands.map((one) => operandOf(one, ways))),
    },
    {
      key: 'outputs',
      title: t('info.outputs'),
      count: results.length,
      content: h('ul', { class: 'ports' }, ...results.map((one) => resultOf(one, ways))),
    },
    {
      key: 'controls',
      title: t('info.controls'),
      count: controls.length,
      content: h('div', {}, ...controls.map((one) => opLink(one, ways))),
    },
    {
      key: 'bodies',
      title: t('info.bodies'),
      count: bodies.length,
      content: h(
        'div',
        { class: 'bodies' },
        ...bodies.map(({ key, name }) =>
          button({ text: t('info.open', { name }), class: 'button small' }, () => ways.open(key)),
        ),
      ),
    },
    {
      key: 'constants',
      title: t('info.constants'),
      count: constants.length,
      content: h('div', {}, ...constants.map(constantOf)),
    },
  ].filter((section) => section.count > 0 || ['attributes', 'inputs', 'outputs'].includes(section.key));
  /** @type {{key: string, title: string, count: number | null, content: HTMLElement}[]} */
  const found = [...all];
  if (info.offline)
    found.push({ key: 'offline', title: t('info.offline'), count: null, content: offlineOf(info.offline, ways) });
  if (info.report) found.push({ key: 'report', title: t('info.report'), count: null, content: recordOf(info.report) });
  if (info.record)
    found.push({
      key: 'record',
      title: t('info.record'),
      count: null,
      content: h('pre', { class: 'record', tabindex: '0', 'aria-label': t('info.record'), text: info.record }),
    });
  return found;
}

/** @param {import('./types.js').Attribute[]} attributes */
function attributesOf(attributes) {
  if (!attributes.length) return h('p', { class: 'hint', text: t('info.none') });
  return h(
    'dl',
    { class: 'attributes' },
    ...attributes.map((one) =>
      h('div', {}, h('dt', { text: one.name, title: one.type }), h('dd', { text: one.text, title: one.type })),
    ),
  );
}

/** @param {string | number} one @param {Ways} ways */
export function opLink(one, ways) {
  if (typeof one === 'string') return h('span', { class: 'mono', text: one });
  return h('button', { type: 'button', class: 'op-link', text: ways.name(one), on: { click: () => ways.go(one) } });
}

/** @param {import('./types.js').Operand} one @param {Ways} ways */
function operandOf(one, ways) {
  const from =
    one.producer >= 0
      ? h(
          'p',
          { class: 'port-ops' },
          h('span', { class: 'hint', text: t(one.stored ? 'info.stored' : 'info.from') }),
          ' ',
          opLink(one.producer, ways),
        )
      : h('p', { class: 'hint', text: one.why ?? t('info.graphinput') });
  return h(
    'li',
    { class: one.tensor ? '' : 'absent' },
    h(
      'div',
      { class: 'port-head' },
      h('span', { class: 'slot', text: String(one.slot) }),
      h('span', { class: 'tensor', text: one.tensor || '–' }),
    ),
    h('div', { class: 'type', text: one.type || (one.tensor ? t('info.unknown') : '') }),
    from,
  );
}

/** @param {import('./types.js').Result} one @param {Ways} ways */
function resultOf(one, ways) {
  const readers = one.readers.slice(0, READERS).map((id) => opLink(id, ways));
  const more = one.readers.length - READERS;
  return h(
    'li',
    {},
    h('div', { class: 'port-head' }, h('span', { class: 'tensor', text: one.tensor })),
    h('div', { class: 'type', text: one.type || t('info.unknown') }),
    h(
      'p',
      { class: 'port-ops' },
      h('span', { class: 'hint', text: t(readers.length ? 'info.to' : 'info.unread') }),
      ' ',
      ...readers,
      more > 0 && h('span', { class: 'hint', text: t('app.more', { n: more }) }),
    ),
  );
}

/** @param {import('./types.js').Constant} one */
function constantOf(one) {
  return h(
    'section',
    { class: 'constant' },
    h('div', { class: 'tensor', text: one.tensor }),
    h('div', { class: 'type', text: one.type }),
    one.preview ? previewOf(one.preview) : h('p', { class: 'hint', text: t('info.nopreview') }),
  );
}

/**
 * What the offline model and the dumps have of an operator: its fused group, and of each tensor the file or the reason.
 * @param {import('./types.js').Offline} offline
 * @param {Ways} ways
 */
function offlineOf({ groups = [], rows = [] }, ways) {
  const group = (/** @type {{name: string, type: string, ops: number[]}} */ { name, type, ops }) =>
    h(
      'div',
      { class: 'group' },
      h('div', { class: 'tensor', text: name }),
      h('div', { class: 'type', text: type }),
      h(
        'p',
        { class: 'port-ops' },
        ...ops.slice(0, READERS).map((id) => opLink(id, ways)),
        ops.length > READERS && h('span', { class: 'hint', text: t('app.more', { n: ops.length - READERS }) }),
      ),
    );
  return h(
    'div',
    { class: 'offline' },
    ...groups.map(group),
    ...rows.map((row) =>
      h(
        'div',
        { class: 'group' },
        h('div', { class: 'tensor', text: row.tensor }),
        h('p', {}, ...said(row.reason)),
        row.note && h('p', { class: 'hint' }, ...said(row.note)),
        row.file &&
          h(
            'p',
            { class: 'file' },
            h('code', { text: row.file }),
            row.slot && h('span', { class: 'hint', text: row.slot }),
          ),
      ),
    ),
  );
}

/** Whatever else is known, as a list of names and values. @param {Record<string, unknown>} record */
function recordOf(record) {
  const rows = Object.entries(record).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return h(
    'dl',
    { class: 'attributes' },
    ...rows.map(([name, value]) =>
      h('div', {}, h('dt', { text: name.replaceAll('_', ' ') }), h('dd', {}, shown(value))),
    ),
  );
}

/** @param {unknown} value @returns {Node | string} */
function shown(value) {
  if (typeof value === 'number') return short(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return h('ul', { class: 'plain' }, ...value.map((one) => h('li', {}, shown(one))));
  return recordOf(/** @type {Record<string, unknown>} */ (value));
}
