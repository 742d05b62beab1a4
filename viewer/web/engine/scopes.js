/**
 * Name scopes: `a/b/c` lies in scope `a/b`. Caffe names have stages instead: `res2a_branch1` lies in `2/2a`.
 *
 * @module
 * @typedef {import('./types.js').Scopes} Scopes
 */

/**
 * Words that networks in Caffe's style open a name with, before the stage's number: conv1_1, res2a_branch1, fc6; or two
 * of them, for what goes with a layer: bn_conv1, scale_conv1.
 */
const STAGE = /^(?:[A-Za-z]{2,12}_)?[A-Za-z]{2,12}(\d{1,2})([a-z]?\d{0,2})(?![A-Za-z0-9])/;

/** Fewer slashes than one in this many names: the model was named without scopes. */
const SCOPELESS = 20;

class Tree {
  /** @param {number} count */
  constructor(count) {
    this.paths = [''];
    this.parents = [0];
    this.of = new Int32Array(count);
    /** @type {Map<string, number>} */
    this.known = new Map([['', 0]]);
  }

  /**
   * The number of a scope, which is made, and all around it, if need be.
   *
   * @param {string} path
   */
  scope(path) {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    let parent = 0;
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      parent = this.child(end < 0 ? path : path.slice(0, end), parent);
      if (end < 0) return parent;
    }
  }

  /**
   * @param {string} path
   * @param {number} parent
   */
  child(path, parent) {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    // An empty part (`/model//conv`, and ONNX names that open with a slash) is no scope of its own.
    const empty = path === '' || path.endsWith('/');
    const scope = empty ? parent : this.paths.length;
    if (!empty) {
      this.paths.push(path);
      this.parents.push(parent);
    }
    this.known.set(path, scope);
    return scope;
  }

  /** @returns {Scopes} */
  done() {
    return { paths: this.paths, parent: Int32Array.from(this.parents), of: this.of };
  }
}

/**
 * @param {string[]} names of operators
 * @param {Uint8Array} stored 1 for constants, whose names are no sign of anything
 * @returns {Scopes}
 */
export function scopesOf(names, stored) {
  const tree = new Tree(names.length);
  let slashes = 0;
  let named = 0;
  for (let op = 0; op < names.length; op++) {
    const end = names[op].lastIndexOf('/');
    if (end > 0) tree.of[op] = tree.scope(names[op].slice(0, end));
    if (stored[op] || names[op] === '') continue;
    named++;
    if (end > 0) slashes++;
  }
  return slashes * SCOPELESS >= named ? tree.done() : stagesOf(names);
}

/**
 * Stages of a network without scopes: neighbours whose names bear the same number. A number that comes back later is
 * another stage, for it may stand for another part of the network.
 *
 * @param {string[]} names
 * @returns {Scopes}
 */
function stagesOf(names) {
  const tree = new Tree(names.length);
  /** @type {Map<string, number>} */
  const runs = new Map();
  let last = '';
  let number = '';
  for (let op = 0; op < names.length; op++) {
    const match = STAGE.exec(names[op]);
    if (!match) continue;
    const [, stage, block] = match;
    if (stage !== last) {
      const run = (runs.get(stage) ?? 0) + 1;
      runs.set(stage, run);
      number = run === 1 ? stage : `${stage} (${run})`;
      last = stage;
    }
    const inner = /^[a-z]/.test(block);
    tree.of[op] = tree.scope(inner ? `${number}/${stage}${block}` : number);
  }
  return tree.done();
}
