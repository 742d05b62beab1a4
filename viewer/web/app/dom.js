/** Elements, made without markup: text from a model can only ever become text. */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @typedef {Record<string, unknown> & {
 *   on?: Record<string, (event: any) => void>, class?: string, text?: string,
 * }} Props
 */
/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element with attributes, listeners under `on`, and children; strings become text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, props);
  put(element, ...children);
  return element;
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {SVGElement}
 */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, props);
  put(element, ...children);
  return element;
}

/** @param {Element} element @param {Props} props */
function dress(element, props) {
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') listen(element, /** @type {Record<string, (event: any) => void>} */ (value));
    else if (key === 'text') element.textContent = String(value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
}

/** @param {Element} element @param {Record<string, (event: any) => void>} listeners */
function listen(element, listeners) {
  for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
}

/** @param {Element} element @param {...(Child | Child[])} children */
export function put(element, ...children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * A message in which names stand between backticks, as all of subcut's do: the names become code.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function said(text) {
  return text.split('`').map((piece, at) => (at % 2 ? h('code', { text: piece }) : piece));
}

/** Replaces what an element holds. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren();
  put(element, ...children);
}

/**
 * A part of index.html that has to be there.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html lacks #${id}`);
  return element;
}

/**
 * Calls at most once per `wait` milliseconds of quiet.
 * @template {unknown[]} A
 * @param {(...args: A) => void} call
 * @param {number} wait
 * @returns {((...args: A) => void) & {cancel: () => void}}
 */
export function quietly(call, wait) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const later = (/** @type {A} */ ...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), wait);
  };
  return Object.assign(later, { cancel: () => clearTimeout(timer) });
}

/** True while a key press belongs to a text field. @param {EventTarget | null} target */
export function typing(target) {
  return target instanceof HTMLElement && target.matches('input:not([type=checkbox], [type=range]), textarea, select');
}
