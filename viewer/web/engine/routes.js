/**
 * The lines of all levels, put where their levels stand.
 *
 * @module
 * @typedef {import('./hierarchy.js').Hierarchy} Hierarchy
 * @typedef {import('./layout.js').Filled} Filled
 */

/**
 * @param {Hierarchy} hierarchy
 * @param {Map<number, Filled>} filled
 * @param {Map<number, {x: number, y: number}>} origins
 */
export function joinRoutes(hierarchy, filled, origins) {
  const offsets = pieceOffsets(hierarchy, filled);
  const count = offsets.length - 1;
  const points = new Float64Array(offsets[count] * 2);
  const stub = new Uint8Array(count);
  /** @type {Record<'x' | 'y' | 'w' | 'h' | 'piece' | 'side' | 'many', number[]>} */
  const tags = { x: [], y: [], w: [], h: [], piece: [], side: [], many: [] };
  for (const [container, { solved, pieces }] of filled) {
    const origin = /** @type {{x: number, y: number}} */ (origins.get(container));
    const { lines } = solved.routes;
    for (let e = 0; e < pieces.length; e++) {
      stub[pieces[e]] = solved.level.leaving[e] >= 0 ? 1 : 0;
      let end = offsets[pieces[e]] * 2;
      for (let k = 0; k < lines[e].length; k += 2) {
        points[end++] = lines[e][k] + origin.x;
        points[end++] = lines[e][k + 1] + origin.y;
      }
    }
    for (const { item, edge, side, many } of solved.routes.tags) {
      tags.x.push(origin.x + solved.x[item] - solved.level.w[item] / 2);
      tags.y.push(origin.y + solved.y[item]);
      tags.w.push(solved.level.w[item]);
      tags.h.push(solved.level.h[item]);
      tags.piece.push(pieces[edge]);
      tags.side.push(side);
      tags.many.push(many);
    }
  }
  const { count: nodes } = hierarchy.input;
  const { from, to, fromPort, toPort, edge } = hierarchy.pieces;
  const arrow = Uint8Array.from(to, (node, piece) => (node < nodes && toPort[piece] < 0 ? 1 : 0));
  const start = Uint8Array.from(from, (node, piece) => (node < nodes && fromPort[piece] < 0 ? 1 : 0));
  return {
    pieces: { count, offsets, points, stub, edge: Int32Array.from(edge), arrow, start },
    tags: {
      count: tags.x.length,
      x: Float64Array.from(tags.x),
      y: Float64Array.from(tags.y),
      w: Float64Array.from(tags.w),
      h: Float64Array.from(tags.h),
      piece: Int32Array.from(tags.piece),
      side: Uint8Array.from(tags.side),
      many: Int32Array.from(tags.many),
    },
  };
}

/**
 * @param {Hierarchy} hierarchy
 * @param {Map<number, Filled>} filled
 */
function pieceOffsets(hierarchy, filled) {
  const offsets = new Int32Array(hierarchy.pieces.edge.length + 1);
  for (const { solved, pieces } of filled.values()) {
    for (let e = 0; e < pieces.length; e++) offsets[pieces[e] + 1] = solved.routes.lines[e].length / 2;
  }
  for (let piece = 0; piece + 1 < offsets.length; piece++) offsets[piece + 1] += offsets[piece];
  return offsets;
}
