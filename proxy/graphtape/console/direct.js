// @ts-check
/** Switches of a session: its status, its scenarios, its tape. */
import {send, session as path} from '/console/api.js';
import {changed, refresh, state} from '/console/store.js';

export const STATUSES = [
  'unknown', 'inprogress', 'onboarded', 'failed', 'offboarding', 'unknownFutureValue',
];

/** @param {Promise<unknown>} doing @param {string} said */
async function tell(doing, said) {
  try {
    await doing;
    await refresh();
    state.said = said;
  } catch (error) {
    state.said = state.problem = /** @type {Error} */ (error).message;
  }
  changed();
}

/** @param {string} id */
const facts = (id) => state.sessions.find((each) => each.id === id);

/**
 * Put scenarios and statuses in place of those a session has.
 * @param {string} id @param {{scenario?: string[], status?: string[]}} wanted
 */
export function direct(id, wanted) {
  const now = facts(id);
  const scenario = wanted.scenario ?? now?.scenario ?? [];
  const status = wanted.status ?? now?.status ?? [];
  // What was chosen stays chosen while the call is on its way.
  if (now) Object.assign(now, {scenario, status});
  const where = `${path(id)}/scenario`;
  const none = !scenario.length && !status.length;
  const doing = none ? send('DELETE', where) : send('PUT', where, {scenario, status});
  const said = [...scenario, ...status].join(', ') || 'as recorded';
  return tell(doing, `session ${id}: ${said}`);
}

/** @param {string} id */
export function rewind(id) {
  if (!confirm(`Rewind session ${id}? Its tape and scenarios play from their start.`)) return;
  tell(send('POST', `${path(id)}/rewind`), `session ${id} is rewound`);
}

/** @param {string} id */
export function end(id) {
  if (!confirm(`End session ${id}? What it recorded is saved.`)) return;
  tell(send('DELETE', path(id)), `session ${id} has ended`);
}
