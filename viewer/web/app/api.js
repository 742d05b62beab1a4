/** Questions to the server. Every path is a literal; what is asked for goes in the body. */

/** An answer that says no, with the server's own words. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {string} code
   * @param {string[]} [help]
   * @param {import('./types.js').Diagnostic[]} [diagnostics]
   */
  constructor(message, code, help = [], diagnostics = []) {
    super(message);
    this.code = code;
    this.help = help;
    this.diagnostics = diagnostics;
  }
}

/**
 * @template T
 * @param {string} path
 * @param {object} [body]  posted as JSON; without one the request is a GET
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 * @throws {Refusal}
 */
export async function ask(path, body, signal) {
  const post = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { signal, credentials: 'same-origin', ...(body === undefined ? {} : post) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal('unreachable', 'unreachable');
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw refusal(answer, response);
}

/** @param {any} answer @param {Response} response */
function refusal(answer, response) {
  const said = answer?.error;
  if (!said) return new Refusal(`${response.status} ${response.statusText}`, String(response.status));
  return new Refusal(said.message, said.code, said.help, said.diagnostics);
}

/** The last question of a kind: an earlier one is abandoned, so that answers never come in the wrong order. */
export class Latest {
  constructor() {
    /** @type {AbortController | null} */
    this.running = null;
  }

  /**
   * @template T
   * @param {string} path
   * @param {object} body
   * @returns {Promise<T | null>}  null when a later question took its place
   */
  async ask(path, body) {
    this.stop();
    const own = new AbortController();
    this.running = own;
    try {
      const answer = await ask(path, body, own.signal);
      return this.running === own ? /** @type {T} */ (answer) : null;
    } catch (error) {
      if (own.signal.aborted) return null;
      throw error;
    }
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }
}

/** Told of every event of the server's job, after a lost connection or a reload too: the browser asks for what it missed. */
/** @param {(event: import('./types.js').JobEvent) => void} tell @param {(alive: boolean) => void} alive */
export function listen(tell, alive) {
  const source = new EventSource('/api/events');
  source.addEventListener('open', () => alive(true));
  source.addEventListener('error', () => alive(false));
  const take = (/** @type {MessageEvent} */ event) => tell(JSON.parse(event.data));
  source.addEventListener('message', take);
  source.addEventListener('types', take);
  return source;
}
