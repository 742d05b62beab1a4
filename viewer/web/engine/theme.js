/**
 * Colours of the drawing, light and dark. A page may set any of them as a CSS variable, such as `--graph-line`.
 *
 * @module
 */

import { KINDS } from './kinds.js';

/**
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {string} background
 * @property {string} card
 * @property {string} border
 * @property {string} text
 * @property {string} faint
 * @property {string} line
 * @property {string} box fill of open groups
 * @property {string} boxDeep of every second one
 * @property {string} boxBorder
 * @property {string} header text on coloured headers
 * @property {string} blue
 * @property {string} blueHeader
 * @property {string} blueCard
 * @property {string} green
 * @property {string} orange an input of the cut
 * @property {string} side an input from the side
 * @property {string} fused
 * @property {string} none no data
 * @property {string} font
 * @property {string[]} kinds by index in `KINDS`; none is a blue that could be taken for the selection's
 */

const FONT = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';

/** @type {Record<'light' | 'dark', Theme>} */
export const THEMES = {
  light: {
    dark: false,
    background: '#f7f8fa',
    card: '#ffffff',
    border: '#c3c9d3',
    text: '#1d2430',
    faint: '#5d6675',
    line: '#97a0af',
    box: '#eef1f6',
    boxDeep: '#f7f8fa',
    boxBorder: '#ccd3de',
    header: '#ffffff',
    blue: '#1a6fe0',
    blueHeader: '#1a6fe0',
    blueCard: '#e4effd',
    green: '#12924a',
    orange: '#c2570c',
    side: '#8a3ffc',
    fused: '#0b7a75',
    none: '#737b88',
    font: FONT,
    kinds: [
      '#4a4e9e', '#7046a5', '#8f4299', '#2c7a5b', '#a63d40', '#567b22', '#5a6577', '#86601c', '#9a4d18', '#12738a',
      '#93306f', '#55708c', '#5b5f66',
    ],
  },
  dark: {
    dark: true,
    background: '#13161b',
    card: '#20252d',
    border: '#434c5a',
    text: '#e8ebf0',
    faint: '#a3adbb',
    line: '#66717f',
    box: '#1a1e25',
    boxDeep: '#15181e',
    boxBorder: '#343c48',
    header: '#ffffff',
    blue: '#4c97ff',
    blueHeader: '#2a6fd6',
    blueCard: '#1b3050',
    green: '#35c46f',
    orange: '#f08a3c',
    side: '#b18cff',
    fused: '#2fb5ad',
    none: '#6a7380',
    font: FONT,
    kinds: [
      '#565ab0', '#7b55b8', '#9a4fa4', '#33805f', '#b24a4d', '#5f8529', '#616d80', '#8d6824', '#a3581f', '#1a7d95',
      '#a03e7d', '#5b7793', '#666b73',
    ],
  },
};

/** Names of the CSS variables, by property. */
const VARIABLES = /** @type {const} */ ([
  'background', 'card', 'border', 'text', 'faint', 'line', 'box', 'boxDeep', 'boxBorder', 'header', 'blue', 'blueHeader',
  'blueCard', 'green', 'orange', 'side', 'fused', 'none',
]);

/**
 * @param {boolean} dark
 * @param {CSSStyleDeclaration} [style] of the element that the variables are set on
 * @returns {Theme}
 */
export function themeOf(dark, style) {
  const base = THEMES[dark ? 'dark' : 'light'];
  if (!style) return base;
  const theme = { ...base, kinds: [...base.kinds] };
  const given = (/** @type {string} */ name) => resolved(style.getPropertyValue(name).trim());
  for (const name of VARIABLES) theme[name] = given(`--graph-${name}`) || base[name];
  KINDS.forEach((kind, at) => {
    theme.kinds[at] = given(`--kind-${kind}`) || base.kinds[at];
  });
  return theme;
}

/**
 * A colour that is one of the system's, such as `CanvasText`, as numbers: a canvas takes the word for what it would be
 * if nobody had chosen colours.
 *
 * @param {string} colour
 */
function resolved(colour) {
  if (!/^[A-Z]\w+$/.test(colour)) return colour;
  const probe = document.createElement('i');
  probe.style.color = colour;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  // The colour of a selection may be translucent, and would be another one on each thing that it is drawn upon.
  return found.replace(/^rgba\((.*),[^,]*\)$/, 'rgb($1)');
}

/** Nine steps of cividis (Nuñez, Anderton and Renslow, 2018), which reads alike for the colour-blind. */
const CIVIDIS = [
  [0, 34, 78], [24, 53, 109], [62, 76, 108], [92, 98, 111], [123, 120, 119],
  [156, 144, 119], [191, 169, 106], [227, 195, 85], [254, 232, 56],
];

/**
 * The colour of a value, and one that text on it can be read in.
 *
 * @param {number} value 0 to 1
 * @returns {{fill: string, text: string}}
 */
export function scaleColour(value) {
  const at = Math.min(Math.max(value, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const rgb = CIVIDIS[low].map((part, k) => Math.round(part + (CIVIDIS[low + 1][k] - part) * (at - low)));
  const bright = rgb[0] * 0.299 + rgb[1] * 0.587 + rgb[2] * 0.114 > 125;
  return { fill: `rgb(${rgb.join(',')})`, text: bright ? '#10151c' : '#ffffff' };
}
