/** Errors as places on a scale of colours, and the slider of the threshold: both logarithmic, as errors span decades. */

/**
 * @typedef {object} Scale
 * @property {number} low  the least error above zero
 * @property {number} high  the greatest finite error
 */

/** @param {(number | null)[]} errors @returns {Scale} */
export function scaleOf(errors) {
  let low = Infinity;
  let high = 0;
  for (const error of errors) {
    if (error === null || !(error > 0) || !Number.isFinite(error)) continue;
    low = Math.min(low, error);
    high = Math.max(high, error);
  }
  if (high === 0) return { low: 1e-8, high: 1 };
  // Errors that are all alike would have no scale.
  return high / low < 10 ? { low: low / 10, high: high * 1.0001 } : { low, high };
}

/**
 * 0 for no error up to 1 for the greatest; NaN where there is no number.
 * @param {Scale} scale
 * @param {number | null | undefined} error
 */
export function place(scale, error) {
  if (error === null || error === undefined || Number.isNaN(error)) return NaN;
  if (error <= 0) return 0;
  if (!Number.isFinite(error)) return 1;
  const share = Math.log(error / scale.low) / Math.log(scale.high / scale.low);
  return Math.min(Math.max(share, 0), 1);
}

/** The error at a place of the scale. @param {Scale} scale @param {number} share  0 to 1 */
export function errorAt(scale, share) {
  return scale.low * (scale.high / scale.low) ** share;
}

/** A number as short as can be read: `0.0012`, `3.4e-7`, `12`. @param {number | null | undefined} value */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace('e+', 'e');
  return String(Number(value.toPrecision(3)));
}

/**
 * The operators beyond a threshold, in the order given.
 * @param {ArrayLike<number>} ops
 * @param {(number | null)[]} errors  by place in `ops`
 * @param {number} threshold
 */
export function beyond(ops, errors, threshold) {
  /** @type {number[]} */
  const found = [];
  for (let at = 0; at < ops.length; at++) {
    const error = errors[at];
    if (error !== null && (error > threshold || Number.isNaN(error))) found.push(ops[at]);
  }
  return found;
}

/**
 * A metric as an error, 0 for equal: a similarity is 1 there, every other is a distance.
 * @param {string} metric
 * @param {number | null} value
 */
export function badness(metric, value) {
  if (value === null) return null;
  return /Similarity$/.test(metric) ? Math.max(1 - value, 0) : Math.abs(value);
}

/**
 * The threshold in the middle of the colours, whatever it is: below it the lower half, above it the upper.
 * @param {number} share
 * @param {number} limit
 */
export function diverge(share, limit) {
  if (Number.isNaN(share)) return NaN;
  if (share <= limit) return limit > 0 ? (share / limit) * 0.5 : 0;
  return 0.5 + ((share - limit) / Math.max(1 - limit, 1e-9)) * 0.5;
}

/**
 * The threshold at first: all that was judged bad lies beyond it, in the middle between the least of that and the
 * greatest right error below, so that both keep colours of their own. Where nothing was bad, nothing lies beyond.
 *
 * @param {Scale} scale
 * @param {(number | null)[]} errors
 * @param {(at: number) => boolean} isBad
 */
export function thresholdOf(scale, errors, isBad) {
  let [least, right] = [Infinity, 0];
  for (const [at, error] of errors.entries()) if (error && isBad(at)) least = Math.min(least, error);
  if (!Number.isFinite(least)) return scale.high;
  for (const error of errors) if (error && error < least) right = Math.max(right, error);
  return Math.sqrt(least * (right || least / 10));
}
