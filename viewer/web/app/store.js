/** One object that holds the page's state and tells who listens to a part of it. */

/** @template {object} S */
export class Store {
  /** @param {S} state */
  constructor(state) {
    this.state = state;
    /** @type {{keys: Set<keyof S>, call: (state: S) => void}[]} */
    this.listeners = [];
  }

  /**
   * Changes some keys; each listener of a key that really changed is called once.
   * @param {Partial<S>} patch
   */
  set(patch) {
    /** @type {Set<keyof S>} */
    const changed = new Set();
    for (const key of /** @type {(keyof S)[]} */ (Object.keys(patch))) {
      if (!Object.is(this.state[key], patch[key])) changed.add(key);
    }
    if (!changed.size) return;
    this.state = { ...this.state, ...patch };
    for (const { keys, call } of [...this.listeners]) {
      if ([...keys].some((key) => changed.has(key))) call(this.state);
    }
  }

  /**
   * @param {(keyof S)[]} keys
   * @param {(state: S) => void} call
   * @returns {() => void} ends the listening
   */
  on(keys, call) {
    const listener = { keys: new Set(keys), call };
    this.listeners.push(listener);
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }
}
