/**
 * Language and theme, kept from run to run. Cookies know no ports, so they outlive the port of this run, which the
 * browser's storage would not; they hold nothing that anybody could want.
 */

const YEAR = 365 * 24 * 3600;

/** @param {"language" | "theme"} key @param {string} value */
export function remember(key, value) {
  document.cookie = `subcut-${key}=${encodeURIComponent(value)}; path=/; max-age=${YEAR}; SameSite=Strict`;
}

/** @param {"language" | "theme"} key @returns {string} "" when nothing was kept */
export function recall(key) {
  return recallFrom(document.cookie, key);
}

/** @param {string} cookies @param {string} key */
export function recallFrom(cookies, key) {
  const found = cookies.split('; ').find((one) => one.startsWith(`subcut-${key}=`));
  return found ? decodeURIComponent(found.slice(found.indexOf('=') + 1)) : '';
}
