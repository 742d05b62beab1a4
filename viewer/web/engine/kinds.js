/**
 * Kinds of operators, by which they are coloured, across the words of ONNX, TensorFlow and Caffe.
 *
 * @module
 */

/** The kinds, in the order in which a legend names them. */
export const KINDS = /** @type {const} */ ([
  'convolution',
  'product',
  'recurrent',
  'normalization',
  'activation',
  'pooling',
  'arithmetic',
  'shape',
  'reduction',
  'quantization',
  'control',
  'data',
  'other',
]);

/** @typedef {(typeof KINDS)[number]} Kind */

/** The first pattern that a type matches says its kind. @type {[RegExp, Kind][]} */
const PATTERNS = [
  [/quantize|fakequant|qlinear(?!conv|mat)|requantiz/i, 'quantization'],
  [/conv|correlation|atrous/i, 'convolution'],
  [/lstm|gru|rnn|recurrent/i, 'recurrent'],
  [/matmul|gemm|innerproduct|einsum|attention|linear$|dense$|fullyconnected|^dot/i, 'product'],
  [/norm|^lrn$|^bn$|^scale$/i, 'normalization'],
  [/pool|detectionoutput|priorbox|proposal|nonmaxsuppression|^roi/i, 'pooling'],
  [/relu|^elu|selu|gelu|silu|swish|mish|sigmoid|softmax|softplus|softsign|tanh|^erf$|^clip$|logistic|celu/i, 'activation'],
  [/^reduce|^sum$|^mean$|^max$|^min$|^prod$|^all$|^any$|argm(ax|in)|topk|^cumsum|accuracy|loss$|reduction/i, 'reduction'],
  [/^(if|loop|scan|while|statelessif|statelesswhile|case|switch|merge|enter|exit|nextiteration|loopcond)$/i, 'control'],
  [/partitionedcall|^assert|^noop|print$/i, 'control'],
  [
    /reshape|transpose|permute|flatten|concat|split|slice|squeeze|expand|tile|pad$|^padv?\d|gather|scatter|^crop|resize|upsample|pack$|^shape|^size$|^rank$|stack|depthtospace|spacetodepth|batchtospace|spacetobatch|^where|reverse|^identity|dropout|^cast|^range|^fill|onehot|compress|unique|eyelike|constantofshape|select/i,
    'shape',
  ],
  [/^(const|constant|placeholder|input|data|initializer|sparse_initializer|variable|readvariable)|variablev\d|dummydata|hdf5/i, 'data'],
  [
    /^(add|sub|mul|div|realdiv|floordiv|mod|floormod|pow|sqrt|rsqrt|square|exp|log|neg|abs|sign|floor|ceil|round|reciprocal|bias|eltwise|power|maximum|minimum|squareddifference|sin|cos|and|or|not|xor|equal|less|greater|notequal|logical|bitwise|addn|isnan|isinf)/i,
    'arithmetic',
  ],
];

/** @type {Map<string, number>} */
const known = new Map();

/**
 * @param {string} type the format's own word, such as `Conv2D` or `com.microsoft.FusedConv`
 * @returns {number} index in `KINDS`
 */
export function kindOf(type) {
  const found = known.get(type);
  if (found !== undefined) return found;
  const word = type.slice(type.lastIndexOf('.') + 1);
  const pattern = PATTERNS.find(([expression]) => expression.test(word));
  const kind = KINDS.indexOf(pattern ? pattern[1] : 'other');
  known.set(type, kind);
  return kind;
}
