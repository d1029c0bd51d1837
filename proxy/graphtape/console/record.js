// @ts-check
/** What a session records: saved, passed on, left off, masked. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {journal, state} from '/console/store.js';
import {useAnswer} from '/console/use.js';

/** @param {number} count @param {string} one @param {string} [more] */
const counted = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

/** @param {{session: string}} props */
export function RecordBar({session}) {
  const known = state.sessions.find((each) => each.id === session);
  const {found} = useAnswer(known?.recording ? path(session) : '', `${state.turn}`);
  const told = (found ?? known)?.recording;
  if (!told) return null;
  const passed = journal(session).counts.passed ?? 0;
  return html`<section class="record" aria-label="Recording"><p>
    Recording <strong>${told.upstream}</strong> into <strong>${told.cassette.split('/').pop()}</strong>:
    ${' '}${counted(told.new, 'interaction')} · ${passed} passed on ·${' '}
    <span class=${told.dropped ? 'missed' : ''}><span class="tone">${told.dropped} left off</span></span>
    ${' '}· ${counted(told.secrets, 'secret')} masked ·${' '}
    ${counted(told.identities, 'identity', 'identities')} replaced ·${' '}
    ${(told.part_bytes / 1024).toFixed(1)} KiB in .part</p></section>`;
}
