/** Search inside the operator's details: marks every hit and steps through them one by one (row S6). */

import { h } from './dom.js';
import { t } from './i18n.js';
import { button } from './widgets.js';

/** Hits beyond this are counted but not marked: a long record would otherwise become thousands of elements. */
const MARKED = 500;

export class Find {
  /** @param {() => HTMLElement} content  what is searched */
  constructor(content) {
    this.content = content;
    /** @type {HTMLElement[]} */
    this.marks = [];
    this.at = -1;
    this.field = h('input', {
      type: 'search',
      class: 'find-field',
      id: 'find',
      spellcheck: 'false',
      autocomplete: 'off',
      'aria-label': t('info.find'),
      placeholder: t('info.find'),
      on: { input: () => this.search(), keydown: (event) => this.key(event) },
    });
    this.count = h('span', { class: 'hit-count', role: 'status' });
    this.previous = button({ icon: 'up', label: t('search.previous'), class: 'tool small' }, () => this.step(-1));
    this.next = button({ icon: 'down', label: t('search.next'), class: 'tool small' }, () => this.step(1));
    this.element = h('div', { class: 'find' }, this.field, this.count, this.previous, this.next);
    this.show();
  }

  /** Searches anew: after a key, or when other details came in. */
  search() {
    this.unmark();
    const needle = this.field.value.trim().toLowerCase();
    if (needle) {
      for (const node of textsIn(this.content())) {
        if (this.marks.length >= MARKED) break;
        this.marks.push(...markIn(node, needle, MARKED - this.marks.length));
      }
    }
    this.at = -1;
    if (this.marks.length) this.step(1);
    else this.show();
  }

  unmark() {
    for (const mark of this.marks) {
      const parent = mark.parentNode;
      mark.replaceWith(mark.textContent ?? '');
      parent?.normalize();
    }
    this.marks = [];
  }

  /** @param {1 | -1} step */
  step(step) {
    const { marks } = this;
    if (!marks.length) return;
    marks[this.at]?.classList.remove('current');
    this.at = (this.at + step + marks.length) % marks.length;
    const mark = marks[this.at];
    mark.classList.add('current');
    const section = mark.closest('details');
    if (section) section.open = true;
    mark.scrollIntoView({ block: 'nearest' });
    this.show();
  }

  show() {
    const { marks } = this;
    const none = this.field.value.trim() !== '' && !marks.length;
    this.count.textContent = none
      ? t('info.find.none')
      : marks.length
        ? t('search.position', { at: this.at + 1, n: marks.length })
        : '';
    this.previous.disabled = this.next.disabled = !marks.length;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === 'Enter') this.step(event.shiftKey ? -1 : 1);
    else if (event.key === 'Escape' && this.field.value) {
      this.field.value = '';
      this.search();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {HTMLElement} element @returns {Text[]} */
function textsIn(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  /** @type {Text[]} */
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) found.push(/** @type {Text} */ (node));
  return found;
}

/** @param {Text} node @param {string} needle @param {number} most */
function markIn(node, needle, most) {
  /** @type {HTMLElement[]} */
  const marks = [];
  let rest = node;
  for (
    let at = rest.data.toLowerCase().indexOf(needle);
    at >= 0 && marks.length < most;
    at = rest.data.toLowerCase().indexOf(needle)
  ) {
    const hit = rest.splitText(at);
    rest = hit.splitText(needle.length);
    const mark = h('mark', { text: hit.data });
    hit.replaceWith(mark);
    marks.push(mark);
  }
  return marks;
}
