/**
 * Graphs of the families that real networks come from, of any size, as the server would send them.
 *
 * @module
 * @typedef {import('../../../viewer/web/engine/types.js').Columns} Columns
 */

/** Numbers from 0 to 1, the same for the same seed. @param {number} seed */
export function randomNumbers(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/** Puts columns together, operator by operator. */
export class Builder {
  constructor() {
    /** @type {string[]} */
    this.names = [];
    /** @type {number[]} */
    this.of = [];
    /** @type {Map<string, number>} */
    this.words = new Map();
    /** @type {Map<string, number>} */
    this.labels = new Map();
    /** @type {Columns['edges']} */
    this.edges = { from: [], output: [], to: [], slot: [], label: [] };
    /** @type {number[]} */
    this.stored = [];
    /** @type {{name: string, label: string}[]} */
    this.inputs = [];
    /** @type {{op: number, output: number, name: string}[]} */
    this.outputs = [];
    /** @type {Record<string, {key: string, name: string}[]>} */
    this.bodies = {};
    /** @type {string[]} */
    this.made = [];
  }

  /**
   * @param {Map<string, number>} words
   * @param {string} word
   */
  static number(words, word) {
    const known = words.get(word);
    if (known !== undefined) return known;
    words.set(word, words.size);
    return words.size - 1;
  }

  /**
   * @param {string} name
   * @param {string} [label]
   * @returns {number} what stands for it in `from`
   */
  input(name, label = 'f32 1,3,224,224') {
    return -this.inputs.push({ name, label });
  }

  /**
   * @param {string} type
   * @param {string} name
   * @param {(number | [number, number])[]} [operands] operators, or operator and result
   * @param {string} [label] of its result
   * @returns {number}
   */
  op(type, name, operands = [], label = 'f32 NCHW 1,64,56,56') {
    this.of.push(Builder.number(this.words, type));
    this.made.push(label);
    const op = this.names.push(name) - 1;
    operands.forEach((operand, slot) => {
      const [from, output] = typeof operand === 'number' ? [operand, 0] : operand;
      this.edge(from, output, op, slot);
    });
    return op;
  }

  /**
   * @param {number} from
   * @param {number} output
   * @param {number} to
   * @param {number} slot
   */
  edge(from, output, to, slot) {
    const { edges } = this;
    edges.from.push(from);
    edges.output.push(output);
    edges.to.push(to);
    edges.slot.push(slot);
    const label = from < 0 ? this.inputs[-1 - from].label : this.made[from];
    edges.label.push(Builder.number(this.labels, label));
  }

  /**
   * @param {string} name
   * @param {string} label
   */
  constant(name, label) {
    const op = this.op('Const', name, [], label);
    this.stored.push(op);
    return op;
  }

  /**
   * @param {number} op
   * @param {string} name
   */
  output(op, name) {
    this.outputs.push({ op, output: 0, name });
  }

  /** @returns {Columns} */
  columns() {
    const tensors = { names: this.names.map((name) => `${name}:0`), op: [...this.names.keys()], output: [] };
    return {
      model: 0,
      graph: '',
      count: this.names.length,
      names: this.names,
      types: { words: [...this.words.keys()], of: this.of },
      edges: this.edges,
      labels: [...this.labels.keys()],
      inputs: this.inputs,
      outputs: this.outputs,
      stored: this.stored,
      bodies: this.bodies,
      tensors: { ...tensors, output: this.names.map(() => 0) },
      fused: [],
      dumped: [],
    };
  }
}

/** Chain of bottleneck blocks with skips. @param {number} size */
export function resnet(size) {
  const b = new Builder();
  let at = b.op('Relu', 'stem/relu', [b.op('Conv', 'stem/conv', [b.input('image')])]);
  for (let block = 0; b.names.length + 8 < size; block++) {
    const p = `stage${Math.floor(block / 16)}/block${block}`;
    let path = at;
    for (const part of ['a', 'b', 'c']) {
      path = b.op('Conv', `${p}/${part}/conv`, [path]);
      if (part !== 'c') path = b.op('Relu', `${p}/${part}/relu`, [path]);
    }
    const skip = block % 16 === 0 ? b.op('Conv', `${p}/shortcut`, [at]) : at;
    at = b.op('Relu', `${p}/out`, [b.op('Add', `${p}/add`, [path, skip])]);
  }
  b.output(b.op('Softmax', 'prob', [b.op('Gemm', 'fc', [at])]), 'prob');
  return b.columns();
}

/** Encoder layers, all of which read one mask. @param {number} size */
export function transformer(size) {
  const b = new Builder();
  const label = 'f32 1,128,768';
  const op = (/** @type {string} */ type, /** @type {string} */ name, /** @type {number[]} */ operands) =>
    b.op(type, name, operands, label);
  const mask = op('Cast', 'encoder/mask', [b.input('attention_mask', 'i64 1,128')]);
  let at = op('Gather', 'embeddings/words', [b.input('input_ids', 'i64 1,128')]);
  for (let layer = 0; b.names.length + 33 < size; layer++) {
    const p = `encoder/layer${layer}`;
    const dense = (/** @type {string} */ name, /** @type {number} */ x) => {
      const weight = b.constant(`${p}/${name}/weight`, 'f32 768,768');
      const bias = b.constant(`${p}/${name}/bias`, 'f32 768');
      return op('Add', `${p}/${name}/add`, [op('MatMul', `${p}/${name}/matmul`, [x, weight]), bias]);
    };
    const [q, k, v] = ['query', 'key', 'value'].map((n) => op('Transpose', `${p}/attention/${n}/t`, [dense(`attention/${n}`, at)]));
    const scores = op('Add', `${p}/attention/masked`, [op('MatMul', `${p}/attention/scores`, [q, k]), mask]);
    const context = op('MatMul', `${p}/attention/context`, [op('Softmax', `${p}/attention/softmax`, [scores]), v]);
    const residual = op('Add', `${p}/attention/residual`, [dense('attention/output', context), at]);
    const normal = op('LayerNormalization', `${p}/attention/norm`, [residual]);
    const inner = op('Gelu', `${p}/ffn/gelu`, [dense('ffn/up', normal)]);
    at = op('LayerNormalization', `${p}/norm`, [op('Add', `${p}/residual`, [dense('ffn/down', inner), normal])]);
  }
  b.output(op('Tanh', 'pooler', [at]), 'pooled');
  return b.columns();
}

/** Nested skips from the way down to the way up. @param {number} size */
export function unet(size) {
  const b = new Builder();
  let at = b.input('image');
  /** @type {number[]} */
  const skips = [];
  const depth = Math.max(1, Math.floor(size / 8));
  const twice = (/** @type {string} */ p, /** @type {number} */ x) =>
    b.op('Relu', `${p}/relu`, [b.op('Conv', `${p}/conv`, [x])]);
  for (let i = 0; i < depth; i++) {
    const x = twice(`down${i}`, at);
    skips.push(x);
    at = b.op('MaxPool', `down${i}/pool`, [x]);
  }
  at = twice('middle', at);
  for (let i = depth - 1; i >= 0; i--) {
    const up = b.op('ConvTranspose', `up${i}/up`, [at]);
    at = twice(`up${i}`, b.op('Concat', `up${i}/concat`, [up, skips[i]]));
  }
  b.output(at, 'segments');
  return b.columns();
}

/** Irregular cells as architecture search finds them: no operator through which everything passes. @param {number} size */
export function nas(size) {
  const b = new Builder();
  const random = randomNumbers(7);
  const first = b.op('Conv', 'stem', [b.input('image')]);
  const recent = [first, b.op('Relu', 'stem/relu', [first])];
  const kinds = ['SepConv', 'Conv', 'AvgPool', 'MaxPool', 'Identity'];
  while (b.names.length < size) {
    const pick = () => recent[Math.floor(random() * recent.length)];
    const n = b.names.length;
    const type = kinds[Math.floor(random() * kinds.length)];
    const op = random() < 0.3 ? b.op('Add', `cell/add${n}`, [pick(), pick()]) : b.op(type, `cell/op${n}`, [pick()]);
    recent.push(op);
    if (recent.length > 6) recent.splice(Math.floor(random() * 2), 1);
  }
  return b.columns();
}

/** Blocks in which every layer reads all before it. @param {number} size */
export function dense(size) {
  const b = new Builder();
  let at = b.op('Conv', 'stem', [b.input('image')]);
  for (let block = 0; b.names.length + 50 < size; block++) {
    const made = [at];
    for (let layer = 0; layer < 24; layer++) {
      const p = `block${block}/layer${layer}`;
      const seen = made.slice(-8);
      made.push(b.op('Conv', `${p}/conv`, [seen.length > 1 ? b.op('Concat', `${p}/concat`, seen) : seen[0]]));
    }
    at = b.op('AvgPool', `transition${block}/pool`, [b.op('Concat', `transition${block}/concat`, made.slice(-8))]);
  }
  return b.columns();
}

/** A frozen TensorFlow graph: a constant and an `Identity` for every weight. @param {number} size */
export function tfconst(size) {
  const b = new Builder();
  let at = b.op('Placeholder', 'input');
  for (let i = 0; b.names.length + 7 < size; i++) {
    const p = `net/layer_${i}`;
    const weight = b.op('Identity', `${p}/w/read`, [b.constant(`${p}/w`, 'f32 3,3,64,64')], 'f32 3,3,64,64');
    const bias = b.op('Identity', `${p}/b/read`, [b.constant(`${p}/b`, 'f32 64')], 'f32 64');
    at = b.op('Relu', `${p}/Relu`, [b.op('BiasAdd', `${p}/BiasAdd`, [b.op('Conv2D', `${p}/Conv2D`, [at, weight]), bias])]);
  }
  return b.columns();
}

export const FAMILIES = { resnet, transformer, unet, nas, dense, tfconst };

/** One operator after another. @param {number} size */
export function chain(size) {
  const b = new Builder();
  let at = b.input('x');
  for (let i = 0; i < size; i++) at = b.op('Relu', `relu_${i}`, [at]);
  b.output(at, 'y');
  return b.columns();
}

/**
 * Anything at all: scopes, several results, constants, cycles when asked for, operators that nothing reads.
 *
 * @param {number} seed
 * @param {{size?: number, cycles?: boolean}} [options]
 */
export function random(seed, { size = 40, cycles = false } = {}) {
  const b = new Builder();
  const next = randomNumbers(seed);
  const below = (/** @type {number} */ n) => Math.floor(next() * n);
  const inputs = Array.from({ length: 1 + below(3) }, (_, k) => b.input(`in${k}`));
  const count = 1 + below(size);
  for (let i = 0; i < count; i++) {
    const depth = below(4);
    const scope = Array.from({ length: depth }, (_, d) => `s${d}_${below(1 + d)}`).join('/');
    const name = scope ? `${scope}/op${i}` : `op${i}`;
    if (next() < 0.15) {
      b.constant(name, `f32 ${below(64)}`);
      continue;
    }
    /** @type {[number, number][]} */
    const operands = Array.from({ length: below(4) }, () =>
      i === 0 || next() < 0.1 ? [inputs[below(inputs.length)], 0] : [below(i), below(3)],
    );
    b.op(['Conv', 'Add', 'Split', 'Reshape'][below(4)], name, operands, `f32 ${below(9)},${below(99)}`);
  }
  for (let i = 0; cycles && i < 1 + count / 10; i++) b.edge(below(count), 0, below(count), 9);
  for (let i = 0; i < below(3); i++) b.output(below(count), `out${i}`);
  return b.columns();
}
