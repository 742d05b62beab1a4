/**
 * The face of the engine: what the app uses, in one place.
 *
 * From columns to picture: `graph` and `scopes` (with `border` and `inside`) read the columns; `fold` (with `constants`, `edges`, `sizes`) says what
 * is drawn; `layout`, in a worker that `layouter` asks, says where: `hierarchy` cuts edges at the borders of groups, and
 * each level is put into layers (`rank`, `level`), cut into segments (`segment`), which are ordered (`order`) and placed
 * (`place`, `blocks`), its lines routed (`route`, `routes`); `memory` keeps what comes again. `draw` shows it: `scene`
 * finds what is in sight (`bands`), `marks` what is chosen, `paint` draws; `input`, `hit`, `minimap` and `mirror` are
 * for hands, eyes and screen readers; `picture` and `standalone` are for keeping, `still` keeps
 * the picture where it is when more is known.
 *
 * @module
 */

export { Graph, readGraph } from './graph.js';
export { defaultOpen, scopesAround, visible } from './fold.js';
export { border } from './border.js';
export { contents } from './inside.js';
export { bodyScope, groupScope, idOf, locate, NODE, scopeParts } from './nodes.js';
export { SearchIndex } from './search.js';
export { Layouter, layoutHere, prepareWorker } from './layouter.js';
export { kindOf, KINDS } from './kinds.js';
export { Canvas, EDGE } from './draw.js';
export { toPng, toSvg } from './picture.js';
export { sameShape } from './still.js';
export { standalone } from './standalone.js';
export { installTesting } from './testing.js';
