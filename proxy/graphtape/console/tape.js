// @ts-check
/** Where on the tape a session is; its interactions; what followed a write. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {Interaction} from '/console/details.js';
import {state} from '/console/store.js';
import {address, cut, go, parsed, placed, shown} from '/console/route.js';
import {map, useAnswer} from '/console/use.js';

const MOST = 80;

/** @param {{session: string, chosen: string}} props */
export function Strip({session, chosen}) {
  const {cassette, index} = parsed(chosen);
  const known = state.positions[session];
  const middle = index ? Number(index) : (cassette ? 0 : known?.write) ?? 0;
  const which = `cassette=${cassette}`;
  const after = Math.max(0, middle - MOST / 2);
  const turn = `${state.turn}`;
  const {found, problem} = useAnswer(`${path(session)}/tape?${which}&after=${after}&limit=${MOST}`, turn);
  const {found: write} = useAnswer(
    found && found.position.write !== null
      ? `${path(session)}/tape?${which}&after=${found.position.write}&limit=1` : '');
  if (problem) return html`<div class="strip"><p>No tape is played in this session.</p></div>`;
  if (!found) return html`<div class="strip"></div>`;
  const {position, rows} = found;
  const last = write?.rows[0];
  const said = position.write === null || !last ? 'no write yet'
    : html`last write <strong>#${position.write} ${last.method} …/${shown(last.url).split('?')[0]
      .split('/').pop()}</strong>`;
  const active = rows.some((/** @type {any} */ row) => String(row.index) === index) ? index
    : String(rows[0]?.index);
  /** @param {any} row */
  const tone = (row) => [
    row.write ? 'write' : '', row.played ? 'played' : '',
    row.index >= position.low && row.index < position.high ? 'near' : '',
    row.index === position.write ? 'last' : '',
  ].join(' ');
  /** @param {KeyboardEvent} event */
  function move(event) {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    event.preventDefault();
    const to = /** @type {HTMLElement|null} */ ((step > 0
      ? /** @type {Element} */ (event.target).parentElement?.nextElementSibling
      : /** @type {Element} */ (event.target).parentElement?.previousElementSibling
    )?.firstElementChild ?? null);
    to?.focus();
  }
  return html`<div class="strip">
    <p><strong>${position.cassette.split('/').pop()}</strong> · played ${found.played} of${' '}
      ${found.size} · ${said} · reads come from <strong>#${position.low}–#${position.high - 1}
      </strong></p>
    <ol aria-label="Tape position" onKeyDown=${move}>${map(rows, (row) => html`<li
      key=${row.index}><button type="button" class=${tone(row)}
        tabindex=${String(row.index) === active ? 0 : -1}
        aria-current=${String(row.index) === index ? 'true' : undefined}
        title=${`#${row.index} ${row.method} ${shown(row.url)}`}
        aria-label=${`#${row.index} ${row.method}${row.write ? ', write' : ''}${
          row.played ? ', played' : ', not played'}`}
        onClick=${() => go({view: 'Tape', arg: placed(cassette, row.index)})} /></li>`)}</ol></div>`;
}

/** @param {{session: string, arg: string}} props */
export function Tape({session, arg}) {
  const {cassette, index} = parsed(arg);
  const after = Math.max(0, Number(index || 0) - 100);
  const {found} = useAnswer(
    `${path(session)}/tape?cassette=${cassette}&after=${after}&limit=500`, `${state.turn}`);
  const tapes = state.sessions.find((each) => each.id === session)?.cassettes ?? [];
  return html`<${Strip} session=${session} chosen=${arg} />
    ${tapes.length > 1 && html`<p><label>Cassette <select id="cassette" value=${String(cassette)}
      onChange=${(/** @type {any} */ event) =>
        go({view: 'Tape', arg: placed(Number(event.target.value), 0)})}>
      ${map(tapes, (name, at) => html`
        <option value=${String(at)}>${name}</option>`)}</select></label></p>`}
    <div class="scroll" tabindex="0" role="region" aria-label="Interactions"><table>
    <caption>Interactions${found ? ` #${after} to #${found.next - 1} of ${found.size}` : ''}
    </caption><thead><tr><th>#</th><th>Method</th><th>Status</th><th>Played</th><th>URL</th></tr>
    </thead><tbody>${map(found?.rows, (row) => html`<tr
        aria-current=${String(row.index) === index ? 'true' : undefined}>
      <td><a href=${address(session, 'tape', placed(cassette, row.index))}>#${row.index}</a></td>
      <td>${row.method}${row.write ? ' (write)' : ''}</td><td>${row.status}</td>
      <td>${row.played ? 'yes' : 'no'}</td>
      <td class="url" title=${shown(row.url)}>${cut(shown(row.url), 70)}</td></tr>`)}</tbody>
    </table></div>`;
}

/** @param {{session: string, arg: string}} props */
export function TapeDetails({session, arg}) {
  return html`<section class="details" aria-label="Details" tabindex="0" id="details">
    ${arg ? html`<${Interaction} session=${session} arg=${arg} heading="h2" />`
      : html`<p>Choose an interaction to see what was recorded, and what was masked.</p>`}
    </section>`;
}
