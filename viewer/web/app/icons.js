/** Icons: 16 by 16, lines of the colour of the text around them. */

import { svg } from './dom.js';

const PATHS = {
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9Zm3.3 7.8L14 14',
  close: 'M4 4l8 8M12 4l-8 8',
  up: 'M4 10l4-4 4 4',
  down: 'M4 6l4 4 4-4',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  top: 'M3 2.5h10M8 14V5.5M4.5 9L8 5.5 11.5 9',
  fold: 'M8 1.5v4M5.5 3.5L8 6l2.5-2.5M8 14.5v-4M5.5 12.5L8 10l2.5 2.5M2.5 8h11',
  unfold: 'M8 6V1.5M5.5 4L8 1.5 10.5 4M8 10v4.5M5.5 12L8 14.5l2.5-2.5M2.5 8h11',
  constants: 'M3 3h10v10H3zM6 6.5h4M6 9.5h4',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  centre: 'M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M8 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5Z',
  left: 'M2 3h12v10H2zM6 3v10',
  right: 'M2 3h12v10H2zM10 3v10',
  pair: 'M2 3h12v10H2zM8 3v10',
  picture: 'M2 3h12v10H2zM2 11l3.5-3.5 3 3L11 8l3 3M10.5 5.8v.1',
  settings: 'M2 4.5h6M12 4.5h2M10 2.8v3.4M2 11.5h2M8 11.5h6M6 9.8v3.4',
  help: 'M5.5 5.8C5.6 4.3 6.6 3.5 8 3.5s2.5.9 2.5 2.2C10.5 7.6 8 7.7 8 9.6M8 12.2v.3',
  errors: 'M2 13.5h12M4 13V9.5M7 13V4M10 13V7M13 13v-2.5',
  start: 'M3 3h10M8 5v8M5 10l3 3 3-3',
  end: 'M3 13h10M8 3v8M5 8l3 3 3-3',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  warning: 'M8 2.5l6 11H2zM8 6.5v3.5M8 11.8v.2',
  collapse: 'M4 7l4-4 4 4M4 13l4-4 4 4',
  expand: 'M4 3l4 4 4-4M4 9l4 4 4-4',
  undo: 'M3 6h6.5a3.5 3.5 0 0 1 0 7H6M5.5 3L3 6l2.5 3',
  type: 'M3 4.5V3h10v1.5M8 3v10M6 13h4',
  tensor: 'M2 8h9M8 4.5L11.5 8 8 11.5M14 3.5v9',
  op: 'M2.5 5h11v6h-11z',
  attr: 'M3 4h10M3 8h10M3 12h6',
  select: 'M2.5 2.5h3M7 2.5h2M10.5 2.5h3v3M13.5 7v2M13.5 10.5v3h-3M9 13.5H7M5.5 13.5h-3v-3M2.5 9V7M2.5 5.5v-3',
};

/** @typedef {keyof typeof PATHS} Icon */

/** @param {Icon} name @returns {SVGElement} */
export function icon(name) {
  return svg('svg', { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' }, svg('path', { d: PATHS[name] }));
}
