/** The selection text: a text field over its own coloured copy, with the server's complaints underlined. */

import { fill, h } from './dom.js';
import { t } from './i18n.js';
import { runs, tokens, unitsAt } from './offsets.js';

/** @typedef {import('./types.js').Diagnostic} Diagnostic */

export class Editor {
  /** @param {(text: string) => void} typed */
  constructor(typed) {
    this.field = h('textarea', {
      id: 'selection-text',
      class: 'editor-field',
      spellcheck: 'false',
      autocomplete: 'off',
      autocapitalize: 'off',
      rows: '2',
      'aria-label': t('cut.text'),
      placeholder: t('cut.text.hint'),
      'aria-describedby': 'selection-problems',
    });
    this.copy = h('pre', { class: 'editor-copy', 'aria-hidden': 'true' });
    this.element = h('div', { class: 'editor' }, this.copy, this.field);
    /** @type {Diagnostic[]} */
    this.diagnostics = [];
    this.field.addEventListener('input', () => {
      this.diagnostics = [];
      this.paint();
      typed(this.field.value);
    });
    this.field.addEventListener('scroll', () => this.follow());
  }

  /**
   * @param {string} text
   * @param {Diagnostic[]} diagnostics
   */
  show(text, diagnostics) {
    // Never under the user's fingers: setting a value, even an equal one, may move the caret.
    if (this.field.value !== text) this.field.value = text;
    this.diagnostics = diagnostics;
    this.field.setAttribute('aria-invalid', String(diagnostics.length > 0));
    this.paint();
  }

  paint() {
    const text = this.field.value;
    const errors = this.diagnostics
      .filter((one) => one.start !== null)
      .map((one) => ({
        start: unitsAt(text, one.start ?? 0),
        end: unitsAt(text, one.end ?? one.start ?? 0),
      }));
    const parts = runs(text, errors).flatMap(({ text: run, mark }) => {
      const words = runs(run, tokens(run)).map((part) => h('span', { class: part.mark?.kind, text: part.text }));
      return mark ? [h('span', { class: 'wrong' }, ...words)] : words;
    });
    // A space at the end keeps the last, empty line as high as in the field.
    fill(this.copy, ...parts, ' ');
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(this.field.scrollHeight + 2, 240)}px`;
    this.follow();
  }

  follow() {
    this.copy.scrollTop = this.field.scrollTop;
    this.copy.scrollLeft = this.field.scrollLeft;
  }

  /** Puts the caret where a complaint points. @param {Diagnostic} diagnostic */
  point(diagnostic) {
    this.field.focus();
    if (diagnostic.start === null) return;
    const text = this.field.value;
    this.field.setSelectionRange(unitsAt(text, diagnostic.start), unitsAt(text, diagnostic.end ?? diagnostic.start));
  }
}
