/**
 * Whether a picture can stay as it is when more is known of its tensors.
 *
 * @module
 * @typedef {import('./types.js').View} View
 */

/**
 * Whether two views differ in what is written at most: the places of one then hold for the other. Widths do not count,
 * for text is cut to the room that it has; heights do, since lines of a node would stand below its border.
 *
 * @param {View} a
 * @param {View} b
 */
export function sameShape(a, b) {
  return (
    a.count === b.count &&
    equal(a.kind, b.kind) &&
    equal(a.id, b.id) &&
    equal(a.parent, b.parent) &&
    equal(a.h, b.h) &&
    equal(a.edges.from, b.edges.from) &&
    equal(a.edges.to, b.edges.to) &&
    equal(a.edges.tensor, b.edges.tensor)
  );
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
