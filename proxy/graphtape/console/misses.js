// @ts-check
/** Each different request that nothing answered, with how often it was asked. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {journal} from '/console/store.js';
import {address, cut, here, go, shown} from '/console/route.js';
import {useAnswer} from '/console/use.js';

/** @typedef {import('/console/store.js').Row} Row */

/** @param {Row[]} rows @returns {{row: Row, times: number}[]} */
export function grouped(rows) {
  /** @type {Map<string, {row: Row, times: number}>} */
  const found = new Map();
  for (const row of rows) {
    const name = `${row.method} ${row.url}`;
    const known = found.get(name);
    found.set(name, {row, times: (known?.times ?? 0) + 1});
  }
  return [...found.values()];
}

/** @param {{session: string, arg: string}} props */
export function Misses({session, arg}) {
  const count = journal(session).counts.missed ?? 0;
  const {found} = useAnswer(
    `${path(session)}/journal?source=missed&limit=10000`, `${count}`);
  const misses = grouped(found?.entries ?? []);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Missed requests"><table>
    <caption>${misses.length} different, ${count} in all</caption>
    <thead><tr><th>#</th><th>Times</th><th>Method</th><th>URL</th></tr></thead>
    <tbody>${misses.map(({row, times}) => html`<tr
        aria-current=${String(row.number) === arg ? 'true' : undefined}>
      <td><a href=${address(session, 'misses', row.number)}>${row.number}</a></td>
      <td>${times}</td><td>${row.method}</td>
      <td class="url" title=${shown(row.url)}>
        <a href=${address(session, 'misses', row.number)}>${cut(shown(row.url), 80)}</a></td>
      </tr>`)}</tbody></table>
    ${misses.length === 0 && html`<p>Nothing was missed.</p>`}</div>`;
}

/** Go to the next miss of those at hand, or the one before. @param {1|-1} step */
export function toMiss(step) {
  const {session, arg} = here();
  const rows = journal(session).rows.filter((row) => row?.source === 'missed');
  const number = Number(arg || (step > 0 ? 0 : Infinity));
  const following = (/** @type {Row|undefined} */ row) =>
    row !== undefined && (step > 0 ? row.number > number : row.number < number);
  const next = step > 0 ? rows.find(following) : rows.findLast(following);
  if (next) go({view: 'Live', arg: next.number});
}
