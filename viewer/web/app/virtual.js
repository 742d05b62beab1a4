/** A list of any length of which only the rows in view are elements. */

import { h } from './dom.js';

/** Rows beyond the edge, so that slow scrolling shows no gap. */
const SPARE = 6;

/** @template R */
export class VirtualList {
  /**
   * @param {object} options
   * @param {number} options.height  of a row, in pixels
   * @param {(row: R, at: number) => HTMLElement} options.draw
   * @param {string} options.id
   * @param {string} options.label
   */
  constructor({ height, draw, id, label }) {
    this.height = height;
    this.draw = draw;
    /** @type {{length: number, at: (at: number) => R | undefined}} */
    this.rows = [];
    this.inner = h('div', { class: 'virtual-inner', role: 'listbox', id, 'aria-label': label });
    this.element = h('div', { class: 'virtual', tabindex: '-1' }, this.inner);
    this.element.addEventListener('scroll', () => this.paint());
  }

  /** @param {{length: number, at: (at: number) => R | undefined}} rows */
  show(rows) {
    this.rows = rows;
    this.inner.style.height = `${rows.length * this.height}px`;
    this.element.scrollTop = 0;
    this.paint();
  }

  paint() {
    const top = this.element.scrollTop;
    const first = Math.max(0, Math.floor(top / this.height) - SPARE);
    const seen = (this.element.clientHeight || 400) / this.height;
    const last = Math.min(this.rows.length, Math.ceil(top / this.height + seen) + SPARE);
    /** @type {HTMLElement[]} */
    const elements = [];
    for (let at = first; at < last; at++) {
      const given = this.rows.at(at);
      if (given === undefined) continue;
      const row = this.draw(given, at);
      row.style.top = `${at * this.height}px`;
      row.style.height = `${this.height}px`;
      elements.push(row);
    }
    this.inner.replaceChildren(...elements);
  }

  /** Scrolls just so far that a row is seen. @param {number} at */
  reveal(at) {
    const top = at * this.height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.element.scrollTop = top + this.height - clientHeight;
    this.paint();
  }
}
