/** The server's reasons why a tensor is an edge of the cut, in the language of the page. */

import { t } from './i18n.js';

/** @type {Record<string, import('./i18n.js').Word>} */
const REASONS = {
  'made outside the selection': 'reason.outside',
  'an input of the model': 'reason.input',
  'captured by a body from the graph around it': 'reason.captured',
  'named as the start': 'reason.start',
  'named as the end': 'reason.end',
  tapped: 'reason.tapped',
  'read outside the selection': 'reason.leaves',
  'read by nobody': 'reason.unread',
  'an output of the model': 'reason.output',
};

/** A reason that is not known here is shown as it came. @param {string} reason */
export function reasonOf(reason) {
  return reason in REASONS ? t(REASONS[reason]) : reason;
}
