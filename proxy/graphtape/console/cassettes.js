// @ts-check
/** The cassettes there are, and what `graphtape scan` finds in one. */
import {html, useState} from '/console/vendor/preact-htm.js';
import {state} from '/console/store.js';
import {Copy, address, placed, quoted} from '/console/route.js';
import {map, useAnswer} from '/console/use.js';

/** @param {number|null} bytes */
const size = (bytes) => (bytes === null ? '—' : `${(bytes / 1024).toFixed(1)} KiB`);

/** @param {number|null} seconds Unix time. */
function age(seconds) {
  if (seconds === null) return '—';
  const days = Math.floor((Date.now() / 1000 - seconds) / 86400);
  return days < 1 ? 'today' : `${days} ${days === 1 ? 'day' : 'days'} ago`;
}

/** Number of a cassette among those of a session. @param {string} session @param {string} name */
function number(session, name) {
  const tapes = state.sessions.find((each) => each.id === session)?.cassettes ?? [];
  return Math.max(0, tapes.findIndex((/** @type {string} */ each) =>
    each === name || each.endsWith(`/${name}`)));
}

/** @param {{session: string, arg: string}} props */
export function Cassettes({session, arg}) {
  const {found, problem} = useAnswer('/cassettes');
  const [filter, setFilter] = useState('');
  const rows = (found?.cassettes ?? []).filter((/** @type {any} */ each) =>
    each.name.toLowerCase().includes(filter.toLowerCase()));
  return html`<div class="tools"><input type="search" id="filter" aria-label="Filter"
      placeholder="Filter: a part of a name" autocomplete="off" value=${filter}
      onInput=${(/** @type {any} */ event) => setFilter(event.target.value)} /></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Cassettes of the folder">
    ${problem && html`<p class="problem">${problem}</p>`}<table>
    <caption>Below the folder the proxy was started in, and those that are played</caption>
    <thead><tr><th>Cassette</th><th>Size</th><th>Changed</th><th>Played by</th><th>Interactions</th>
      <th>From</th></tr></thead>
    <tbody>${map(rows, (each) => html`<tr
        aria-current=${each.name === arg ? 'true' : undefined}>
      <td><a href=${address(session, 'cassettes', each.name)}>${each.name}</a></td>
      <td>${size(each.bytes)}</td><td>${age(each.modified)}</td>
      <td>${each.sessions.length ? map(each.sessions, (id) => html`<a
        href=${address(id, 'tape', placed(number(id, each.name), 0))}>${id}</a> `) : '—'}</td>
      <td>${each.interactions ?? '—'}</td>
      <td>${[each.upstream, each.edited ? 'edited' : ''].filter(Boolean).join(', ') || '—'}</td>
      </tr>`)}</tbody></table></div>`;
}

/** @param {{arg: string}} props */
export function CassetteDetails({arg}) {
  const {found: all} = useAnswer('/cassettes');
  const {found, problem} = useAnswer(arg && `/cassettes/${encodeURIComponent(arg)}/findings`);
  const player = all?.cassettes.find((/** @type {any} */ each) => each.name === arg)?.sessions[0];
  const command = `graphtape redact ${quoted(arg)}`;
  const where = (/** @type {any} */ each) => (player && each.interaction !== null ? html`<a href=${
    address(player, 'tape', placed(number(player, arg), each.interaction))}>#${each.interaction}</a>`
    : each.interaction === null ? '—' : `#${each.interaction}`);
  return html`<section class="details" aria-label="Details" tabindex="0" id="details">
    ${!arg && html`<p>Choose a cassette to see what is left in it.</p>`}
    ${problem && html`<p class="problem">${problem}</p>`}
    ${arg && !found && !problem && html`<p>Looking through ${arg} …</p>`}
    ${found && html`<h2>${found.name}</h2>
      ${found.failure && html`<p class="problem">Could not look: ${found.failure}</p>`}
      ${!found.failure && found.count === 0 && html`<p>No secret and no identity is left in it.</p>`}
      ${found.count > 0 && html`<p>${found.count} ${found.count === 1 ? 'finding' : 'findings'}:${' '}
        <code>${command}</code> <${Copy} say="Copy" text=${command} />
        </p><table><caption>What is left${found.findings.length < found.count
          ? `, the first ${found.findings.length}` : ''}</caption>
        <thead><tr><th>#</th><th>Rule</th><th>Place</th><th>Masked excerpt</th></tr></thead>
        <tbody>${map(found.findings, (each) => html`<tr><td>${where(each)}</td>
          <td>${each.rule}</td><td class="place">${each.place}</td>
          <td><mark class="secret">${each.excerpt}</mark></td></tr>`)}</tbody></table>`}`}
    </section>`;
}
