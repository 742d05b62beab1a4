/**
 * Widths of text, estimated: the layout must come out alike in the page, in the worker and in tests without a screen.
 *
 * @module
 */

const NARROW = " .,:;!|'`ijlIft/\\()[]{}-\"";
const WIDE = 'mwMW@%—…';

/** Widths of the characters of a common sans serif in em; everything beyond ASCII counts as a full square. */
const EM = new Float64Array(128).fill(0.6);
for (let code = 65; code <= 90; code++) EM[code] = 0.69;
for (const char of NARROW) if (char.charCodeAt(0) < 128) EM[char.charCodeAt(0)] = 0.37;
for (const char of WIDE) if (char.charCodeAt(0) < 128) EM[char.charCodeAt(0)] = 0.95;

/**
 * @param {string} text
 * @param {number} size of the font in pixels
 * @returns {number} pixels
 */
export function textWidth(text, size) {
  let em = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    em += code < 128 ? EM[code] : 1;
  }
  return em * size;
}

/**
 * Text that fits, its middle left out: scopes at the front and numbers at the end both tell operators apart.
 *
 * @param {string} text
 * @param {number} width
 * @param {(text: string) => number} measure
 * @returns {string}
 */
export function elide(text, width, measure) {
  if (measure(text) <= width) return text;
  let low = 0;
  let high = text.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (measure(shortened(text, middle)) <= width) low = middle;
    else high = middle - 1;
  }
  return shortened(text, low);
}

/**
 * @param {string} text
 * @param {number} kept characters
 */
function shortened(text, kept) {
  const tail = Math.ceil(kept * 0.6);
  return `${text.slice(0, kept - tail)}…${tail ? text.slice(-tail) : ''}`;
}
