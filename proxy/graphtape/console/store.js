// @ts-check
/** What the page knows; views are drawn again when it changes. */
import {get, listen, session as path} from '/console/api.js';

/**
 * @typedef {{number: number, method: string, url: string, status: number, source: string,
 *   interaction: number|null, milliseconds: number, note: string, cassette: number|null,
 *   at: number}} Row
 * @typedef {{done: number, rows: (Row|undefined)[], counts: Record<string, number>,
 *   gone: number, seen: boolean}} Journal
 */

/** @type {Map<string, Journal>} */
const journals = new Map();
export const state = {
  sessions: /** @type {any[]} */ ([]),
  scenarios: /** @type {any[]} */ ([]),
  positions: /** @type {Record<string, any>} */ ({}),
  connected: false,
  problem: '',
  said: '',
  turn: 0,
  busy: false,
};
/** @type {Set<() => void>} */
const watching = new Set();
/** @param {() => void} draw */
export const watch = (draw) => (watching.add(draw), () => watching.delete(draw));

let drawn = false;
export function changed() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    watching.forEach((draw) => draw());
  });
}

/** @param {string} id @returns {Journal} */
export function journal(id) {
  let found = journals.get(id);
  if (!found) journals.set(id, (found = {done: 0, rows: [], counts: {}, gone: 0, seen: false}));
  return found;
}

let [missed, told] = [0, 0];

/** @param {string} id @param {Record<string, number>} counts */
function counted(id, counts) {
  const known = journal(id);
  const done = Object.values(counts).reduce((sum, each) => sum + each, 0);
  if (done < known.done) Object.assign(known, {rows: [], gone: 0});
  if (known.seen) missed += Math.max(0, (counts.missed ?? 0) - (known.counts.missed ?? 0));
  Object.assign(known, {done, counts, seen: true});
  known.rows.length = done;
}

export async function refresh() {
  try {
    state.sessions = (await get('/sessions')).sessions;
    for (const each of state.sessions) counted(each.id, each.answers);
    Object.assign(state, {problem: '', turn: state.turn + 1});
    announce();
    changed();
    if (!state.scenarios.length) state.scenarios = (await get('/scenarios')).scenarios;
  } catch (error) {
    state.problem = /** @type {Error} */ (error).message;
  }
  changed();
}

/** @type {Set<string>} */
const asked = new Set();

/**
 * See that a stretch of a journal is at hand.
 * @param {string} id @param {number} from @param {number} to
 */
export async function need(id, from, to) {
  const known = journal(id);
  let first = Math.max(from, known.gone);
  while (first < to && known.rows[first]) first += 1;
  if (first >= Math.min(to, known.done) || asked.has(id) || state.busy) return;
  asked.add(id);
  let wait = 100;
  try {
    const page = await get(`${path(id)}/journal?after=${first}&limit=${Math.max(200, to - first)}`);
    const start = page.next - page.entries.length;
    if (page.gone) known.gone = Math.max(known.gone, first + page.gone);
    page.entries.forEach((/** @type {Row} */ row, /** @type {number} */ at) => {
      if (start + at < known.done) known.rows[start + at] = row;
    });
    changed();
  } catch (error) {
    state.problem = /** @type {Error} */ (error).message;
    wait = 2000;
  } finally {
    setTimeout(() => (asked.delete(id), changed()), wait);
  }
}

/** Say how many misses are new: once in five seconds. */
function announce() {
  if (!missed) return;
  const wait = told + 5000 - Date.now();
  if (wait > 0) return void setTimeout(announce, wait);
  told = Date.now();
  state.said = `${missed} new ${missed === 1 ? 'miss' : 'misses'}`;
  missed = 0;
  changed();
}

let calm = /** @type {ReturnType<typeof setTimeout>|undefined} */ (undefined);
let turned = 0;
function settled(busy = false) {
  turned = Date.now();
  state.busy = busy;
  state.turn += 1;
  changed();
}

/** @param {any} tick */
function happened(tick) {
  for (const [id, counts] of Object.entries(tick.counts)) counted(id, counts);
  /** @type {Record<string, number>} */
  const placed = {};
  for (const [id, row] of tick.entries.toReversed()) {
    const at = journal(id).done - 1 - (placed[id] ?? 0);
    placed[id] = (placed[id] ?? 0) + 1;
    journal(id).rows[at] = row;
  }
  Object.assign(state.positions, tick.positions);
  state.busy = tick.dropped > 0;
  clearTimeout(calm);
  calm = setTimeout(settled, 600);
  if (Date.now() - turned > 2000) settled(state.busy);
  if (tick.sessions.length) refresh();
  announce();
  changed();
}

export async function start() {
  await refresh();
  listen(happened, (connected, why) => {
    if (connected && !state.connected) refresh();
    Object.assign(state, {connected, problem: connected ? '' : why});
    changed();
  });
}
