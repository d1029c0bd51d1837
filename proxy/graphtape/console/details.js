// @ts-check
/** One exchange: where its answer came from; of a miss, what was asked beside the nearest. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {state} from '/console/store.js';
import {Message, Side} from '/console/marked.js';
import {Copy, address, parsed, placed, shown} from '/console/route.js';
import {map, useAnswer} from '/console/use.js';

/** @param {{session: string, number: string}} props */
export function Details({session, number}) {
  const {found, problem} = useAnswer(number && `${path(session)}/journal/${number}`);
  return html`<section class="details" aria-label="Details" tabindex="0" id="details">
    ${problem && html`<p class="problem">${problem}</p>`}
    ${!number && html`<p>Choose a request to see where its answer came from.</p>`}
    ${found && html`<${Entry} session=${session} facts=${found} />`}</section>`;
}

/** @param {{session: string, facts: any}} props */
function Entry({session, facts}) {
  const {entry, misses} = facts;
  const base = state.sessions.find((each) => each.id === session)?.base_url ?? '';
  const url = entry.url.replace(/^https:\/\/[^/]+/, '');
  const curl = `curl -X ${entry.method} '${base}${url.replaceAll("'", '%27')}'`;
  const title = entry.source === 'missed' ? 'Miss'
    : entry.source[0].toUpperCase() + entry.source.slice(1);
  return html`<div class=${entry.source}>
    <h2><span class="tone">${title}</span> · ${entry.method} ${shown(url).split('?')[0]}</h2>
    <p>Request ${entry.number}: status ${entry.status}, ${entry.milliseconds.toFixed(2)} ms.</p>
    ${misses.length === 0 && facts.why && html`<p class="why">${facts.why}</p>`}
    ${facts.changed && html`<p>Changed: ${facts.changed}</p>`}
    ${map(misses, (miss) => html`<${Miss} miss=${miss} session=${session} />`)}
    <p><${Copy} say="Copy as curl" text=${curl} /></p>
    ${entry.interaction !== null && html`<${Interaction} session=${session}
      arg=${placed(entry.cassette, entry.interaction)} />`}
  </div>`;
}

/** @param {{miss: any, session: string}} props */
export function Miss({miss, session}) {
  const [first, ...others] = miss.nearest;
  return html`<p>${miss.message}</p>
    <div class="sides">
      <section aria-label="Asked"><h3>Asked</h3>
        <${Side} message=${miss.asked} side="asked" differences=${first?.differences ?? []} />
      </section>
      ${first && html`<section aria-label="Nearest recorded"><h3>Nearest recorded: <a
          href=${address(session, 'tape', placed(first.number, first.index))}>#${first.index}</a>${' '}
        of ${first.cassette.split('/').pop()}</h3>
        <${Side} message=${first.request} side="recorded" differences=${first.differences} />
        ${!first.differences.length && html`<p>The same request: its answers are used up.</p>`}
      </section>`}
    </div>
    ${miss.advice.length > 0 && html`<h3>What to do</h3>
      <ul class="advice">${map(miss.advice, (line) => {
        const [say, command] = line.split(/: (?=graphtape |--|POST )/);
        return html`<li>${command ? html`${say}: <code>${command}</code>${' '}
          <${Copy} say="Copy" text=${command} />` : line}</li>`;
      })}</ul>`}
    ${others.length > 0 && html`<h3>Others that come near</h3>
      ${map(others, (near) => html`<p>
        <a href=${address(session, 'tape', placed(near.number, near.index))}>#${near.index}</a></p>
        <${Side} message=${near.request} side="recorded" differences=${near.differences} />`)}`}`;
}

/** @param {{session: string, arg: string, heading?: string}} props */
export function Interaction({session, arg, heading = 'h3'}) {
  const {cassette, index} = parsed(arg);
  const {found, problem} = useAnswer(`${path(session)}/tape/${index}?cassette=${cassette}`);
  if (problem) return html`<p class="problem">${problem}</p>`;
  if (!found) return null;
  const {marks} = found;
  return html`<${heading}>Interaction${' '}
      <a href=${address(session, 'tape', arg)}>#${index}</a> of${' '}
      ${found.cassette.split('/').pop()}</${heading}>
    <p>${marks.length ? `${marks.length} masked or replaced, marked below.` : 'Nothing is masked.'}
    </p>
    <${Message} title="Recorded request" message=${found.request} side="request" marks=${marks} />
    <${Message} title="Recorded answer" message=${found.response} side="response"
      marks=${marks} />`;
}
