/**
 * The face of the engine: what the app uses, in one place.
 *
 * @module
 */

export { Graph, readGraph } from './graph.js';
export { defaultOpen, scopesAround, visible } from './fold.js';
export { bodyScope, groupScope, idOf, locate, NODE } from './nodes.js';
export { SearchIndex } from './search.js';
export { Layouter, layoutHere } from './layouter.js';
export { kindOf, KINDS } from './kinds.js';
export { Canvas, EDGE } from './draw.js';
export { toPng, toSvg } from './picture.js';
export { standalone } from './standalone.js';
export { installTesting } from './testing.js';
