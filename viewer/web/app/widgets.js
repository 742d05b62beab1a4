/** Small parts that several panels are made of: buttons, notices, dialogs, menus that open under a button. */

import { h, part, said } from './dom.js';
import { headline, t } from './i18n.js';
import { icon } from './icons.js';

/**
 * A button with an icon, a text, or both; one with an icon alone says `label` when pointed at.
 * @param {{icon?: import('./icons.js').Icon, text?: string, label?: string, class?: string, id?: string,
 *   pressed?: boolean, disabled?: boolean, title?: string}} looks
 * @param {(event: MouseEvent) => void} [click]
 */
export function button(looks, click) {
  const label = looks.text ? undefined : looks.label;
  const made = h(
    'button',
    {
      type: 'button',
      class: looks.class ?? (looks.text ? 'button' : 'tool'),
      id: looks.id,
      'aria-label': label,
      title: looks.title ?? label,
      'aria-pressed': looks.pressed === undefined ? undefined : String(looks.pressed),
      disabled: looks.disabled,
      on: click && { click },
    },
    looks.icon && icon(looks.icon),
    looks.text && h('span', { text: looks.text }),
  );
  return made;
}

/** How long a notice that asks for nothing stays, in milliseconds. */
const NOTICE = 6000;

/**
 * A notice at the foot of the page.
 * @param {string} text
 * @param {{kind?: "info" | "good" | "bad", action?: {text: string, run: () => void}, stay?: boolean}} [options]
 */
export function notify(text, options = {}) {
  const { kind = 'info', action } = options;
  const box = h(
    'div',
    { class: `toast ${kind}`, role: kind === 'bad' ? 'alert' : 'status' },
    h('p', {}, ...said(text)),
  );
  const close = () => box.remove();
  if (action) {
    box.append(
      button({ text: action.text, class: 'button small' }, () => {
        close();
        action.run();
      }),
    );
  }
  box.append(button({ icon: 'close', label: t('app.dismiss'), class: 'tool small' }, close));
  const all = part('toasts');
  // What is said again is said anew, not twice.
  for (const other of [...all.children]) if (other.textContent === box.textContent) other.remove();
  while (all.children.length >= 3) all.firstElementChild?.remove();
  all.append(box);
  if (!options.stay) setTimeout(close, action ? NOTICE * 2 : NOTICE);
  return close;
}

/** What went wrong with a question to the server, said where the user looks. @param {unknown} error */
export function complain(error) {
  const refused = /** @type {{code?: string, message?: string, help?: string[]}} */ (error);
  if (refused?.code === undefined) throw error;
  const lines = [headline(refused.code), refused.message, ...(refused.help ?? [])].filter(Boolean);
  const message = refused.code === 'unreachable' ? t('app.unreachable') : lines.join('\n');
  notify(message, { kind: 'bad' });
}

/**
 * A modal dialog. It is removed when it closes.
 * @param {string} title
 * @param {(dialog: HTMLDialogElement) => (Node | string | false | null | undefined)[]} content
 * @param {string} [kind]  class of the dialog
 */
export function dialog(title, content, kind = '') {
  const box = /** @type {HTMLDialogElement} */ (h('dialog', { class: kind, 'aria-label': title }));
  const head = h(
    'header',
    {},
    h('h2', { text: title }),
    button({ icon: 'close', label: t('app.close') }, () => box.close()),
  );
  box.append(head);
  for (const child of content(box)) if (child) box.append(child);
  box.addEventListener('close', () => box.remove());
  // A click on the dark around the dialog closes it, as people expect.
  box.addEventListener('mousedown', (event) => {
    if (event.target === box && !within(box, event)) box.close();
  });
  document.body.append(box);
  box.showModal();
  return box;
}

/** @param {Element} element @param {MouseEvent} event */
function within(element, event) {
  const box = element.getBoundingClientRect();
  return (
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom
  );
}

/**
 * @typedef {object} Item  an entry of a menu
 * @property {string} text
 * @property {() => void} [run]  none: a heading
 * @property {string} [key]  the key that does the same
 * @property {string} [why]  why it cannot be done now: it stays in the menu, greyed, with the reason
 * @property {import('./icons.js').Icon} [icon]
 * @property {boolean} [rule]  a line above it
 */

/** @type {(() => void) | null} */
let openMenu = null;

/**
 * A menu at a point of the page; arrows, letters, Enter and Escape work in it.
 * @param {string} label
 * @param {Item[]} items
 * @param {number} x
 * @param {number} y
 * @param {HTMLElement | null} [back]  what gets the focus back
 */
export function menu(label, items, x, y, back = null) {
  openMenu?.();
  const list = h('div', { class: 'menu', role: 'menu', 'aria-label': label, tabindex: '-1' });
  const away = (/** @type {Event} */ event) => {
    if (!(event.target instanceof Node && list.contains(event.target))) close();
  };
  const close = () => {
    const inside = list.contains(document.activeElement);
    list.remove();
    openMenu = null;
    document.removeEventListener('pointerdown', away, true);
    if (inside) back?.focus();
  };
  openMenu = close;
  list.append(...items.map((item) => entry(item, close)));
  list.addEventListener('keydown', (event) => menuKey(event, list, close));
  list.addEventListener('contextmenu', (event) => event.preventDefault());
  document.addEventListener('pointerdown', away, true);
  part('work').append(list);
  const box = list.getBoundingClientRect();
  list.style.left = `${Math.max(4, Math.min(x, innerWidth - box.width - 8))}px`;
  list.style.top = `${Math.max(4, Math.min(y, innerHeight - box.height - 8))}px`;
  /** @type {HTMLElement | null} */ (list.querySelector('[role=menuitem]'))?.focus();
  return close;
}

/** @param {Item} item @param {() => void} close */
function entry(item, close) {
  if (!item.run && !item.why) return h('div', { class: 'menu-title', role: 'presentation', text: item.text });
  const run = item.run;
  const made = h(
    'button',
    {
      type: 'button',
      role: 'menuitem',
      tabindex: '-1',
      class: item.rule ? 'rule' : '',
      'aria-disabled': item.why ? 'true' : undefined,
      on: {
        click: () => {
          if (item.why || !run) return;
          close();
          run();
        },
      },
    },
    h('span', { class: 'menu-icon' }, item.icon && icon(item.icon)),
    h('span', { class: 'menu-text' }, item.text, item.why ? h('small', {}, ...said(item.why)) : null),
    item.key ? h('kbd', { text: item.key }) : null,
  );
  return made;
}

/** @param {KeyboardEvent} event @param {HTMLElement} list @param {() => void} close */
function menuKey(event, list, close) {
  const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll('[role=menuitem]')]);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const step = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
  event.stopPropagation();
  if (step !== undefined) items[step % items.length].focus();
  else if (event.key === 'Escape' || event.key === 'Tab') close();
  else return;
  event.preventDefault();
}

/** Puts a text on the clipboard, and says so. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers refuse where the page lacks the focus: the old way still works there.
    const field = h('textarea', { class: 'offscreen', 'aria-hidden': 'true' });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  notify(t('app.copied', { what: text.length > 60 ? `${text.slice(0, 57)}…` : text }), { kind: 'good' });
}
