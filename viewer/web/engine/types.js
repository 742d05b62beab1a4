/**
 * The shapes that pass between server, engine and app: what a graph is on the wire, in memory, folded and laid out.
 *
 * Every drawn operator has one number, its id: an operator of the main graph has its position in the graph, and the
 * operators of the bodies follow, body by body in the order in which `FoldOptions.bodies` lists them (`locate` and
 * `idOf` in nodes.js translate). Bodies are only ever added, so ids stay what they are.
 *
 * @module
 */

/**
 * A graph as the server sends it. Ids are positions; `edges.from` is -1-k for graph input k; edges of control have
 * slot -1; a label of -1 means that nothing is known about the tensor.
 *
 * @typedef {object} Columns
 * @property {number} [model]
 * @property {string} [graph] "" or the key of a body or function
 * @property {number} count
 * @property {string[]} names
 * @property {{words: string[], of: number[]}} types
 * @property {{from: number[], output: number[], to: number[], slot: number[], label: number[]}} edges
 * @property {string[]} labels format and shape, such as `f32 NCHW 1,3,224,224`
 * @property {{name: string, label?: string}[]} [inputs]
 * @property {{op: number, output: number, name: string, label?: string}[]} [outputs]
 * @property {number[]} [stored] constants
 * @property {Record<string, {key: string, name: string}[]>} [bodies]
 * @property {{names: string[], op: number[], output: number[]}} [tensors]
 * @property {Fused[]} [fused]
 * @property {number[]} [dumped]
 */

/**
 * A group of operators that the offline model runs as one.
 *
 * @typedef {object} Fused
 * @property {string} name
 * @property {string} [type]
 * @property {number[]} ops
 * @property {boolean} [stored] whether its output is among the dumps
 */

/**
 * Lists of lists in two arrays: list i is `items[offsets[i]]` up to `items[offsets[i + 1]]`, that one left out.
 *
 * @typedef {object} Lists
 * @property {Int32Array} offsets
 * @property {Int32Array} items
 */

/**
 * A tree of name scopes. Scope 0 is the whole graph and its own parent; parents come before children.
 *
 * @typedef {object} Scopes
 * @property {string[]} paths
 * @property {Int32Array} parent
 * @property {Int32Array} of the innermost scope of each operator
 */

/**
 * @typedef {object} FoldOptions
 * @property {Set<string>} open what is unfolded: scopes of groups, and `bodyScope(key)` of bodies
 * @property {boolean} [constants] whether constants are drawn on their own, not as lines of their readers
 * @property {boolean} [awaited] whether types are still being looked for: room is left for them
 * @property {Map<string, import('./graph.js').Graph>} [bodies] the bodies fetched so far, by key
 */

/**
 * What a group or an open body is.
 *
 * @typedef {object} Group
 * @property {string} scope what to add to or remove from `FoldOptions.open`
 * @property {string} label
 * @property {number} count operators inside, constants left out
 * @property {number} node its node
 * @property {number} op the operator whose body it is, or -1
 */

/**
 * What is to be drawn. Nodes are numbered anew in every view; a container's number is smaller than its children's.
 *
 * @typedef {object} View
 * @property {number} count nodes
 * @property {Uint8Array} kind a `NODE` of nodes.js
 * @property {Int32Array} id an operator's id; -1-k for input k; the index in `outputs` or `groups` for those kinds
 * @property {Int32Array} parent the container, or -1
 * @property {Float64Array} w least width; containers grow around their children
 * @property {Float64Array} h height; a container's is that of its title
 * @property {Float64Array} reach how far to the right of its middle a node and its labels reach
 * @property {Group[]} groups
 * @property {{graph: import('./graph.js').Graph, key: string, base: number, edgeBase: number}[]} graphs
 * @property {number} ids number of ids given to operators
 * @property {Int32Array} nodeOf the node that shows an id: itself, the reader it is folded into, its group, or -1
 * @property {Uint8Array} inside whether `nodeOf` is a group or a reader rather than the operator itself
 * @property {ViewEdges} edges
 * @property {Lists} constants labels (of `labels`) of the constants folded into each node, as far as known
 * @property {string[]} labels
 */

/**
 * @typedef {object} ViewEdges
 * @property {number} count
 * @property {Int32Array} from node
 * @property {Int32Array} to node
 * @property {Int32Array} tensor edges from one node with equal numbers leave as one line
 * @property {number} tensors numbers of tensors are smaller than this
 * @property {Int32Array} output which result of the operator
 * @property {Int32Array} label index into `View.labels`, or -1
 * @property {Int32Array} many how many edges of the graph this one stands for
 * @property {Int32Array} edge the first of them: `edgeBase` of its graph + position, or -1 for lines to graph outputs
 * @property {Int32Array} of the edge of the view that stands for an edge of the graphs, or -1
 */

/**
 * What the worker is sent: arrays of a view, nothing else.
 *
 * @typedef {object} LayoutInput
 * @property {number} count
 * @property {Int32Array} parent
 * @property {Uint8Array} container 1 for containers
 * @property {Float64Array} w
 * @property {Float64Array} h
 * @property {Float64Array} reach
 * @property {Int32Array} from
 * @property {Int32Array} to
 * @property {Int32Array} tensor
 */

/**
 * Where everything is. Coordinates are pixels at zoom 1, x to the right, y down; `x` and `y` are left upper corners.
 *
 * Lines are drawn from pieces: an edge that crosses the border of a container has a piece on either side, and edges of
 * one tensor may share pieces. A piece with `stub` 1 is too long for a line: it is drawn as two tags.
 *
 * @typedef {object} Layout
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Float64Array} w
 * @property {Float64Array} h
 * @property {Int32Array} layer layer within the container
 * @property {{count: number, offsets: Int32Array, points: Float64Array, stub: Uint8Array, edge: Int32Array,
 *   arrow: Uint8Array, start: Uint8Array}} pieces `offsets` count points (x, y pairs); `edge`: one of its edges;
 *   `arrow`: ends at an operator; `start`: begins at one
 * @property {Lists} edgePieces pieces of each edge, in order
 * @property {{count: number, x: Float64Array, y: Float64Array, w: Float64Array, h: Float64Array, piece: Int32Array,
 *   side: Uint8Array, many: Int32Array}} tags ends of the stubs; side 0 stands at the producer and names `many`
 *   readers, side 1 at a reader
 * @property {{x: number, y: number, w: number, h: number}} bounds
 * @property {number} main x of the main path
 */

/**
 * What is marked in the drawing. Arrays are by id; all are optional.
 *
 * @typedef {object} Marks
 * @property {number} [selected] id, or -1
 * @property {number} [hit] id that a search has found: green box
 * @property {Uint8Array | null} [hits] 1 for everything the search has found
 * @property {Uint8Array | null} [between] 1 for everything between start and end: blue
 * @property {number[]} [starts]
 * @property {number[]} [ends]
 * @property {Uint8Array | null} [edges] by edge of the graphs (`edgeBase` + position): an `EDGE` of draw.js
 * @property {Float32Array | null} [colours] 0 to 1 on the scale of colours, NaN for no data
 * @property {((id: number) => string) | null} [values] the number written on an operator beside its colour
 * @property {Fused[]} [fused] outlines
 * @property {Uint8Array | null} [dumped] 1 where a dump exists
 */

/**
 * What lies under the pointer. `id` is an operator's id (op), -1-k (input), a place in `View.groups` (group) or in
 * `View.edges` (edge).
 *
 * @typedef {{kind: 'op' | 'input' | 'output' | 'group' | 'edge', id: number, node: number, scope?: string,
 *   to?: number, toggle?: boolean}} Hit
 */

export {};
