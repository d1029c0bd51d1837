// @ts-check
/** Calls of the control API, and its events. */

const KEY = 'graphtape-token';

/** Take the token out of the address; it is kept for this tab alone. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEY, decodeURIComponent(found[1]));
    history.replaceState(null, '', location.pathname);
  }
}

/** @returns {Record<string, string>} */
function credentials() {
  const token = sessionStorage.getItem(KEY);
  return token ? {Authorization: `Bearer ${token}`} : {};
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{body?: unknown, accept?: string}} [said]
 * @returns {Promise<Response>}
 * @throws {Error} What the API says is wrong.
 */
async function call(method, path, {body, accept = 'application/json'} = {}) {
  const headers = credentials();
  headers.Accept = accept;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) {
    const told = await answer.json().catch(() => null);
    throw new Error(told?.error?.message ?? `${method} ${path}: ${answer.status}`);
  }
  return answer;
}

/** @param {string} path @returns {Promise<any>} */
export const get = async (path) => (await call('GET', path)).json();

/** @param {string} path @param {string} accept @returns {Promise<string>} */
export const text = async (path, accept) => (await call('GET', path, {accept})).text();

/** @param {string} method @param {string} path @param {unknown} [body] */
export const send = (method, path, body) => call(method, path, {body});

/** @param {string} id */
export const session = (id) => `/sessions/${encodeURIComponent(id)}`;

/**
 * Listen to coalesced events until the page goes; a connection that drops is taken up again after
 * the last event that came.
 * @param {(tick: any) => void} onTick
 * @param {(connected: boolean, why: string) => void} onState
 */
export async function listen(onTick, onState) {
  let last = '';
  for (;;) {
    try {
      const headers = credentials();
      if (last) headers['Last-Event-ID'] = last;
      const answer = await fetch('/events?every=250ms&newest=200', {headers});
      if (!answer.ok || !answer.body) {
        const told = await answer.json().catch(() => null);
        throw new Error(told?.error?.message ?? `${answer.status}`);
      }
      onState(true, '');
      for await (const tick of ticks(answer.body)) {
        last = tick.id;
        onTick(tick);
      }
      onState(false, 'the proxy closed the connection');
    } catch (error) {
      onState(false, String(/** @type {Error} */ (error).message));
    }
    await new Promise((go) => setTimeout(go, 1000));
  }
}

/** Of an entry of a tick, behind its session. */
const FIELDS = ['number', 'method', 'url', 'status', 'source', 'interaction', 'milliseconds', 'note',
  'cassette', 'at'];

/** Name the values of a tick's entries. @param {any} tick */
function named(tick) {
  const entries = tick.entries.map((/** @type {any[]} */ [id, ...values]) =>
    [id, Object.fromEntries(FIELDS.map((name, at) => [name, values[at]]))]);
  return {...tick, entries};
}

/** @param {ReadableStream<Uint8Array>} body */
async function* ticks(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let waiting = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    waiting += value;
    const blocks = waiting.split('\n\n');
    waiting = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block.split('\n').find((line) => line.startsWith('data: '));
      if (data && block.includes('event: tick')) yield named(JSON.parse(data.slice(6)));
    }
  }
}
