// @ts-check
/** Keys that do something wherever one is, but in a field. */
import {rewind} from '/console/direct.js';
import {toMiss} from '/console/misses.js';
import {VIEWS, go, here} from '/console/route.js';

export const KEYS = /** @type {[string, string][]} */ ([
  ['j k ↑ ↓ PgUp PgDn Home End', 'move in the list'], ['Enter', 'details'], ['/', 'filter'],
  ['m M', 'next, previous miss'], ['s', 'status'], ['x', 'scenario'], ['r', 'rewind (asks)'],
  ['1 … 8', 'views'], ['f', 'follow'], ['t', 'theme'], ['?', 'all keys'], ['Esc', 'leave a field'],
]);

const FIELDS = 'input, select, textarea, dialog';

/** @param {string} id */
const focus = (id) => document.getElementById(id)?.focus();

/** @param {{follow: () => void, theme: () => void, help: () => void}} does */
export function listenToKeys({follow, theme, help}) {
  /** @type {Record<string, () => void>} */
  const acts = {
    '/': () => focus('filter'),
    s: () => focus('status'),
    x: () => focus('scenario'),
    m: () => toMiss(1),
    M: () => toMiss(-1),
    r: () => rewind(here().session),
    f: follow,
    t: theme,
    '?': help,
    Enter: () => focus('details'),
  };
  VIEWS.forEach((view, at) => {
    acts[`${at + 1}`] = () => go({view});
  });
  for (const key of ['j', 'k', 'Home', 'End', 'PageUp', 'PageDown', 'ArrowUp', 'ArrowDown']) {
    acts[key] = () => {
      const grid = document.getElementById('requests');
      if (!grid) return;
      grid.focus();
      grid.dispatchEvent(new KeyboardEvent('keydown', {key}));
    };
  }
  /** @param {KeyboardEvent} event */
  function pressed(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest?.(FIELDS)) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    const own = event.key === 'Enter' && target.closest('a, button');
    const scrolls = target.closest('.scroll, .details, .strip') && event.key.length > 1;
    if (event.defaultPrevented || own || (scrolls && event.key !== 'Enter')) return;
    if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }
  addEventListener('keydown', pressed);
  return () => removeEventListener('keydown', pressed);
}
