/**
 * What has been laid out before, by what it was made from: networks repeat their blocks, and so do two layouts of one
 * network of which a single group was opened in between.
 *
 * @module
 */

const START = 1 << 12;
const ENTRIES = 30000;
/** Larger things hardly ever come twice, and are not kept. */
const LONGEST_KEY = 1 << 16;

/** Numbers in a row that say all there is to know about a thing; positions count in sixteenths of a pixel. */
export class Key {
  constructor() {
    this.numbers = new Int32Array(START);
    this.length = 0;
    this.hash = 0;
  }

  clear() {
    this.length = 0;
    this.hash = 0x811c9dc5;
  }

  /** Hashed as FNV-1a does, number by number. @param {number} number */
  add(number) {
    if (this.length === this.numbers.length) {
      const grown = new Int32Array(this.length * 2);
      grown.set(this.numbers);
      this.numbers = grown;
    }
    this.numbers[this.length++] = number;
    this.hash = Math.imul(this.hash ^ number, 0x01000193);
  }

  /** @param {number} pixels */
  addPixels(pixels) {
    this.add(Math.round(pixels * 16));
  }
}

/** @template T */
export class Memo {
  constructor() {
    /** @type {Map<number, {numbers: Int32Array, value: T}[]>} */
    this.buckets = new Map();
    this.size = 0;
    this.hits = 0;
  }

  /**
   * @param {Key} key
   * @returns {T | undefined}
   */
  find({ numbers, length, hash }) {
    const entry = this.buckets.get(hash)?.find((other) => equal(other.numbers, numbers, length));
    if (entry) this.hits++;
    return entry?.value;
  }

  /**
   * @param {Key} key
   * @param {T} value
   */
  keep({ numbers, length, hash }, value) {
    if (length > LONGEST_KEY) return;
    if (this.size >= ENTRIES) {
      this.buckets.clear();
      this.size = 0;
    }
    const entry = { numbers: numbers.slice(0, length), value };
    const bucket = this.buckets.get(hash);
    if (bucket) bucket.push(entry);
    else this.buckets.set(hash, [entry]);
    this.size++;
  }
}

/**
 * @param {Int32Array} a
 * @param {Int32Array} b
 * @param {number} length of b
 */
function equal(a, b, length) {
  if (a.length !== length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Segments and whole levels. */
export class Memory {
  constructor() {
    this.key = new Key();
    /** @type {Memo<import('./segment.js').Arranged>} */
    this.segments = new Memo();
    /** @type {Memo<import('./solve.js').Solved>} */
    this.levels = new Memo();
  }
}
