// @ts-check
/** The address is the state: `#/s/default/live/237`. */
import {html} from '/console/vendor/preact-htm.js';

export const VIEWS = [
  'Live', 'Misses', 'Tape', 'Timeline', 'Scenarios', 'Sessions', 'Cassettes', 'Report',
];

/** @returns {{session: string, view: string, arg: string}} */
export function here() {
  const [, , session = 'default', view = 'live', arg = ''] = location.hash.split('/');
  const known = VIEWS.find((each) => each.toLowerCase() === view) ?? 'Live';
  return {session: decodeURIComponent(session), view: known, arg: decodeURIComponent(arg)};
}

/** @param {string} session @param {string} view @param {string|number} [arg] */
export function address(session, view, arg = '') {
  const end = arg === '' ? '' : `/${encodeURIComponent(arg)}`;
  return `#/s/${encodeURIComponent(session)}/${view.toLowerCase()}${end}`;
}

/** @param {{session?: string, view?: string, arg?: string|number}} to */
export function go(to) {
  const from = here();
  const view = to.view ?? from.view;
  const where = address(to.session ?? from.session, view, to.arg ?? '');
  if (location.hash !== where) {
    history.replaceState(null, '', where);
    dispatchEvent(new Event('hashchange'));
  }
}

/**
 * Where an interaction is, in an address: `23`, on another tape than the first `1-23`.
 * @param {number|null|undefined} cassette @param {number|string} index
 */
export const placed = (cassette, index) => ((cassette ?? 0) > 0 ? `${cassette}-${index}` : `${index}`);

/** @param {string} arg @returns {{cassette: number, index: string}} */
export function parsed(arg) {
  const [, cassette, index] = /^(?:(\d+)-)?(\d*)$/.exec(arg) ?? [];
  return {cassette: Number(cassette ?? 0), index: index ?? ''};
}

/** @param {string} url A path with its query, as people read it. */
export function shown(url) {
  const bare = url.replace(/^https:\/\/graph\.microsoft\.com/, '');
  try {
    return decodeURIComponent(bare.replace(/\+/g, ' '));
  } catch {
    return bare;
  }
}

/** @param {string} text @param {number} most Characters; the middle is cut. */
export function cut(text, most) {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) * 0.45);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** A word of a command line, whatever is in it. @param {string} word */
export const quoted = (word) => (/^[\w./][\w./-]*$/.test(word) ? word
  : `'${(word.startsWith('-') ? './' : '') + word.replaceAll("'", "'\\''")}'`);

/** @param {{say: string, text: string}} props */
export function Copy({say, text}) {
  return html`<button type="button" onClick=${() => navigator.clipboard.writeText(text)}
    >${say}</button>`;
}
