/** The page's words, in English and in Chinese. */

import { en } from './words.en.js';
import { zh, zhDiagnostics } from './words.zh.js';

/** @typedef {keyof typeof en} Word */
/** @typedef {"en" | "zh"} Language */

/** @type {Record<Language, Record<Word, string>>} */
const languages = { en, zh };
/** @type {Language} */
let current = 'en';

/** @param {string} language  "zh", "zh-CN", "en" …; what is unknown becomes English */
export function speak(language) {
  current = language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
  return current;
}

export function language() {
  return current;
}

/** What a code of the server means, in the language of the page; nothing where its message says it as well. @param {string} code */
export function headline(code) {
  return current === 'zh' && Object.hasOwn(zhDiagnostics, code) ? zhDiagnostics[code] : '';
}

/**
 * A text with its numbers and names put in: `{n}` is the value, `{n#operator|operators}` the word that fits the number.
 * @param {Word} word
 * @param {Record<string, string | number>} [values]
 */
export function t(word, values = {}) {
  return format(languages[current][word], values, current);
}

/**
 * @param {string} text
 * @param {Record<string, string | number>} values
 * @param {string} locale
 */
export function format(text, values, locale) {
  return text.replace(/\{(\w+)(?:#([^|}]*)\|([^}]*))?\}/g, (whole, key, one, many) => {
    const value = values[key];
    if (value === undefined) return whole;
    if (one !== undefined) return value === 1 ? one : many;
    return typeof value === 'number' ? value.toLocaleString(locale) : value;
  });
}
