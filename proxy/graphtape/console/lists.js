// @ts-check
/** The open sessions, and a session's report. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path, text} from '/console/api.js';
import {end, rewind} from '/console/direct.js';
import {state} from '/console/store.js';
import {address, here, placed} from '/console/route.js';
import {map, useAnswer} from '/console/use.js';

/** @param {string} name */
const short = (name) => name.split('/').pop();

export function Sessions() {
  const sessions = state.sessions.toSorted((one, other) =>
    (other.answers.missed ?? 0) - (one.answers.missed ?? 0));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Open sessions"><table>
    <caption>${sessions.length} open; those with misses first</caption>
    <thead><tr><th>Session</th><th>Mode</th><th>Cassettes</th><th>Last write</th><th>Answers</th>
      <th>Do</th></tr></thead>
    <tbody>${sessions.map((each) => html`<tr class=${each.answers.missed ? 'missed' : ''}>
      <td><a href=${address(each.id, 'live')}>${each.id}</a></td><td>${each.mode}</td>
      <td>${each.cassettes.map(short).join(', ')}</td>
      <td>${state.positions[each.id]?.write ?? '—'}</td>
      <td class="tone">${Object.entries(each.answers).map(([source, count]) =>
        `${count} ${source}`).join(', ') || 'none'}</td>
      <td><button type="button" aria-label=${`Rewind ${each.id}`}
          onClick=${() => rewind(each.id)}>Rewind</button>${' '}
        <a href=${address(each.id, 'report')}>report</a>${' '}
        ${each.id !== 'default' && html`<button type="button" aria-label=${`End ${each.id}`}
          onClick=${() => end(each.id)}>End</button>`}</td></tr>`)}</tbody></table></div>`;
}

const FORMS = /** @type {[string, string, string][]} */ ([
  ['JSON', 'application/json', 'json'], ['Markdown', 'text/markdown', 'md'],
  ['JUnit', 'application/xml', 'xml'],
]);

/** @param {string} accept @param {string} suffix */
async function download(accept, suffix) {
  const {session} = here();
  const blob = new Blob([await text(`${path(session)}/report`, accept)], {type: accept});
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `graphtape-${session}.${suffix}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @param {{session: string}} props */
export function Report({session}) {
  const {found, problem} = useAnswer(`${path(session)}/report`, `${state.turn}`);
  const tapes = map(found?.cassettes, (each) => each.name);
  const row = (/** @type {any} */ each) => html`<li>
    <a href=${address(session, 'live', each.number)}>request ${each.number}</a>:${' '}
    ${each.kind ?? `${each.method} ${each.url}, ${each.times} times`} ${each.text ?? ''}</li>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Report of the session">
    <p>${FORMS.map(([name, accept, suffix]) => html`<button type="button"
      onClick=${() => download(accept, suffix)}>Download ${name}</button> `)}</p>
    ${problem && html`<p class="problem">${problem}</p>`}
    ${found && html`<h2>${found.ok ? 'Nothing is wrong' : found.wrong.join('; ')}</h2>
      <p>${found.requests} requests in session ${found.session}, mode ${found.mode}.</p>
      <h3>Misses</h3><ul>${found.misses.map(row)}</ul>
      <h3>Verdicts</h3><ul>${found.verdicts.map(row)}</ul>
      <h3>Faults</h3><ul>${map(found.faults, (each) => html`<li>
        ${each.why}: ${each.times}, status ${each.status}</li>`)}</ul>
      <h3>Never played</h3><ul>${map(found.unused_requests, (each) => html`<li>
        <a href=${address(session, 'tape',
          placed(tapes.indexOf(each.cassette), each.index))}>#${each.index}</a> ${each.method}${' '}
        ${each.url}</li>`)}</ul>`}</div>`;
}
