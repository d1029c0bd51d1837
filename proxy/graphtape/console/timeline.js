// @ts-check
/** What followed a write, on one line of time: polls, faults, delays and verdicts. */
import {html, useEffect} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {journal, need, state} from '/console/store.js';
import {address, cut, go, shown} from '/console/route.js';
import {useAnswer} from '/console/use.js';

/** @typedef {import('/console/store.js').Row} Row */

const MOST = 500;
/** The newest exchanges, among which writes are found. */
const LOOKED_AT = 2000;
const READS = ['GET', 'HEAD', 'OPTIONS', 'CONNECT'];

/** @param {number} seconds */
export function elapsed(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/**
 * The exchanges from a write up to the next one.
 * @param {Row[]} rows @param {string} number Of the write; the last one where there is none of it.
 * @returns {{writes: Row[], write: Row|undefined, after: Row[]}}
 */
export function stretch(rows, number) {
  const writes = rows.filter((row) => !READS.includes(row.method));
  const write = writes.find((row) => String(row.number) === number) ?? writes.at(-1);
  if (!write) return {writes, write, after: []};
  const next = writes[writes.indexOf(write) + 1];
  const from = rows.indexOf(write);
  const to = next ? rows.indexOf(next) : rows.length;
  return {writes, write, after: rows.slice(from, Math.min(to, from + MOST))};
}

/** @param {{row: Row, start: number, span: number}} props */
function Bar({row, start, span}) {
  const left = Math.max(0, 100 * (row.at - start) / span);
  const width = Math.max(0.6, row.milliseconds / 10 / span);
  return html`<span class="track" aria-hidden="true"><span class="bar tone"
    style=${{left: `${Math.min(99, left)}%`, width: `${Math.min(width, 100 - left)}%`}} /></span>`;
}

/** @param {{session: string, arg: string}} props */
export function Timeline({session, arg}) {
  const {done, rows: all} = journal(session);
  useEffect(() => void need(session, Math.max(0, done - LOOKED_AT), done), [session, done]);
  const rows = all.slice(-LOOKED_AT).filter((row) => row !== undefined);
  const {writes, write, after} = stretch(rows, arg);
  const {found} = useAnswer(write ? `${path(session)}/report` : '', `${state.turn}`);
  const last = after.at(-1);
  const start = write?.at ?? 0;
  const span = last ? Math.max(0.001, last.at + last.milliseconds / 1000 - start) : 1;
  const verdicts = (/** @type {Row} */ row) => (found?.verdicts ?? []).filter(
    (/** @type {any} */ each) => each.number === row.number);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="After a write">
    <p><label>Write <select onChange=${(/** @type {any} */ event) =>
      go({view: 'Timeline', arg: event.target.value})} value=${String(write?.number ?? '')}>
      ${writes.slice(-200).map((row) => html`<option value=${String(row.number)}>${row.number}${' '}
        ${row.method} ${cut(shown(row.url), 60)}</option>`)}</select></label></p>
    ${write ? html`<p>${after.length - 1} ${after.length === 2 ? 'request' : 'requests'} in${' '}
      ${elapsed(span)} after it, at ${new Date(start * 1000).toLocaleTimeString()}.</p>`
      : html`<p>No write yet.</p>`}
    <ol class="timeline">${after.map((row) => html`<li class=${row.source}>
      <${Bar} row=${row} start=${start} span=${span} />
      <span class="when">+${elapsed(Math.max(0, row.at - start))}</span>${' '}
      <a href=${address(session, 'live', row.number)}>${row.number}</a>${' '}
      <span class="tone">${row.source}</span> ${row.method} ${cut(shown(row.url), 60)} → ${row.status}
      , took ${row.milliseconds.toFixed(row.milliseconds < 10 ? 1 : 0)} ms
      ${row.note ? ` (${cut(row.note.split('\n')[0], 90)})` : ''}
      ${verdicts(row).map((/** @type {any} */ each) => html`<p class="verdict">
        <strong>${each.kind}</strong>: ${each.text}</p>`)}</li>`)}</ol></div>`;
}
