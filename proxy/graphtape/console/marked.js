// @ts-check
/** Texts with marks: of what differs, and of what was masked. All of it is text, never HTML. */
import {html} from '/console/vendor/preact-htm.js';
import {shown} from '/console/route.js';

/** @typedef {{place: string, recorded: string|null, asked: string|null}} Difference */

/** @param {string} value @param {string|null} other */
function pieces(value, other) {
  const there = new Set((other ?? '').split(','));
  return value.split(',').map((piece, at) => [
    at ? ',' : '',
    there.has(piece) ? piece : html`<mark>${piece}</mark>`,
  ]);
}

/**
 * One side of a comparison.
 * @param {{message: any, side: 'asked'|'recorded', differences: Difference[]}} props
 */
export function Side({message, side, differences}) {
  const other = side === 'asked' ? 'recorded' : 'asked';
  const at = new Map(differences.map((each) => [each.place, each]));
  const [path, query = ''] = message.url.split('?');
  const named = new Set();
  const values = [...new URLSearchParams(query)].map(([name, value]) => {
    const found = at.get(`query.${name}`);
    named.add(`query.${name}`);
    const text = found ? pieces(value, found[other]) : value;
    const alone = found && found[other] === null;
    return html`<div class="parameter">${alone ? html`<mark>${name}</mark>` : name}=${text}</div>`;
  });
  const tone = (/** @type {string} */ place, /** @type {string} */ text) =>
    at.has(place) ? html`<mark>${text}</mark>` : text;
  const rest = differences.filter(({place}) =>
    !named.has(place) && place !== 'method' && place !== 'path');
  return html`<div class="code ${side}">
    <div>${tone('method', message.method)} ${tone('path', shown(path))}</div>${values}
    ${rest.map((each) => html`<div class="parameter">${each.place}:${' '}
      <mark>${each[side] ?? 'nothing'}</mark></div>`)}
  </div>`;
}

/**
 * A text whose masks and pseudonyms are marked.
 * @param {{text: string, marks: any[]}} props
 */
export function Masked({text, marks}) {
  const parts = [];
  let done = 0;
  // The API counts characters, the page UTF-16 units.
  const letters = marks.length && /[\ud800-\udfff]/.test(text) ? [...text] : null;
  const slice = (/** @type {number} */ from, /** @type {number} */ to = Infinity) =>
    letters ? letters.slice(from, to).join('') : text.slice(from, to);
  for (const mark of marks) {
    parts.push(slice(done, mark.start));
    parts.push(html`<mark class=${mark.kind} title=${`${mark.kind}: rule ${mark.rule}`}
      >${slice(mark.start, mark.end)}</mark>`);
    done = mark.end;
  }
  parts.push(slice(done));
  return html`<span>${parts}</span>`;
}

/** @param {{title: string, message: any, side: string, marks: any[]}} props */
export function Message({title, message, side, marks}) {
  const of = (/** @type {string} */ place) => marks.filter((each) => each.place === place);
  return html`<section aria-label=${title}><h3>${title}</h3>
    <div class="code">
      ${message.url && html`<div>${message.method} <${Masked} text=${message.url}
        marks=${of(`${side}.url`)} /></div>`}
      ${message.status && html`<div>${message.status}</div>`}
      ${message.headers.map((/** @type {[string, string]} */ [name, value]) => html`<div
        class="header">${name}: <${Masked} text=${value} marks=${of(`${side}.header.${name}`)} />
        </div>`)}
      ${message.body && html`<div class="body"><${Masked} text=${message.body}
        marks=${of(`${side}.body`)} /></div>`}
      ${message.cut && html`<div>… the body is longer</div>`}
    </div></section>`;
}
