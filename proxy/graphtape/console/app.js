// @ts-check
/** The page: switches above, views at the left, a list, details. */
import {html, render, useEffect, useRef, useState} from '/console/vendor/preact-htm.js';
import {takeToken} from '/console/api.js';
import {CassetteDetails, Cassettes} from '/console/cassettes.js';
import {Details} from '/console/details.js';
import {STATUSES, direct, rewind} from '/console/direct.js';
import {Grid} from '/console/grid.js';
import {KEYS, listenToKeys} from '/console/keys.js';
import {Report, Sessions} from '/console/lists.js';
import {Misses} from '/console/misses.js';
import {RecordBar} from '/console/record.js';
import {VIEWS, address, go, here} from '/console/route.js';
import {ScenarioDetails, Scenarios} from '/console/scenarios.js';
import {journal, start, state} from '/console/store.js';
import {Strip, Tape, TapeDetails} from '/console/tape.js';
import {Timeline} from '/console/timeline.js';
import {useStore} from '/console/use.js';

/** @param {any} event */
const value = (event) => event.target.value;

/** @param {{session: string, theme: () => void}} props */
function Header({session, theme}) {
  const facts = state.sessions.find((each) => each.id === session);
  const {counts} = journal(session);
  const status = facts?.status.length === 1 ? facts.status[0] : facts?.status.join(', ') ?? '';
  const scenario = facts?.scenario.join(', ') ?? '';
  const names = state.scenarios.map((each) => each.name);
  const among = (/** @type {string[]} */ all, /** @type {string} */ one) =>
    one && !all.includes(one) ? [...all, one] : all;
  const mode = {none: 'replay · offline', once: 'record · once'}[
    /** @type {'none'|'once'} */ (facts?.mode)] ?? `record · ${facts?.mode ?? ''}`;
  return html`<header><h1>Graphtape</h1><span class="mode">${facts ? mode : 'not connected'}</span>
    <label>Session <select id="session" value=${session}
      onChange=${(/** @type {any} */ event) => go({session: value(event)})}>
      ${among(state.sessions.map((each) => each.id), session).map((id) => html`
        <option value=${id}>${id}</option>`)}</select></label>
    <label>Status <select id="status" value=${status} onChange=${(/** @type {any} */ event) =>
      direct(session, {status: value(event) ? [value(event)] : []})}>
      <option value="">as recorded</option>${among(STATUSES, status).map((each) => html`
        <option value=${each}>${each}</option>`)}</select></label>
    <label>Scenario <select id="scenario" value=${scenario} onChange=${
      (/** @type {any} */ event) =>
        direct(session, {scenario: value(event) ? [value(event)] : []})}>
      <option value="">none</option>${among(names, scenario).map((each) => html`
        <option value=${each}>${each}</option>`)}</select></label>
    <button type="button" onClick=${() => rewind(session)}>Rewind</button>
    <span class="counts">${Object.entries(counts).map(([source, count]) => html`
      <span class=${source}><strong class="tone">${count}</strong> ${source}</span> `)}</span>
    <button type="button" aria-label="Theme" onClick=${theme}>◐</button></header>`;
}

/** @param {{at: {session: string, view: string, arg: string}}} props */
function Nav({at}) {
  const {counts, done} = journal(at.session);
  const numbers = /** @type {Record<string, number>} */ ({
    Live: done, Misses: counts.missed ?? 0, Scenarios: state.scenarios.length,
    Sessions: state.sessions.length,
  });
  return html`<nav aria-label="Views"><ul>${VIEWS.map((view) => html`<li><a
    href=${address(at.session, view)} aria-current=${view === at.view ? 'page' : undefined}
    aria-label=${view}>${view}${numbers[view] === undefined ? null : html`<span aria-hidden="true"
      class=${view === 'Misses' && numbers[view] ? 'missed' : ''}>
      <span class="tone">${numbers[view]}</span></span>`}</a></li>`)}</ul></nav>`;
}

/** @param {{at: any, filter: string, setFilter: any, follow: boolean, setFollow: any}} props */
function Live({at, filter, setFilter, follow, setFollow}) {
  return html`<${Strip} session=${at.session} chosen="" />
    <div class="tools"><input type="search" id="filter" aria-label="Filter" value=${filter}
      placeholder="Filter: disconnect, 429, missed …" autocomplete="off"
      onInput=${(/** @type {any} */ event) => setFilter(value(event))} />
    <button type="button" aria-pressed=${follow} onClick=${() => setFollow(!follow)}>Follow</button>
    </div>
    <${Grid} ...${{session: at.session, arg: at.arg, filter, follow, setFollow}} />`;
}

function themed() {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const now = localStorage.getItem('graphtape-theme') ?? (dark ? 'dark' : 'light');
  document.documentElement.dataset.theme = now;
  return now;
}

function App() {
  useStore();
  const [at, setAt] = useState(here);
  const [filter, setFilter] = useState('');
  const [follow, setFollow] = useState(!at.arg);
  const help = useRef(/** @type {HTMLDialogElement|null} */ (null));
  const theme = () => {
    localStorage.setItem('graphtape-theme', themed() === 'dark' ? 'light' : 'dark');
    themed();
  };
  useEffect(() => {
    const moved = () => setAt(here());
    addEventListener('hashchange', moved);
    const stop = listenToKeys({
      theme, follow: () => setFollow((on) => !on), help: () => help.current?.showModal(),
    });
    return () => (removeEventListener('hashchange', moved), stop());
  }, []);
  const views = /** @type {Record<string, () => unknown>} */ ({
    Live: () => html`<${Live} ...${{at, filter, setFilter, follow, setFollow}} />`,
    Misses: () => html`<${Misses} ...${at} />`, Tape: () => html`<${Tape} ...${at} />`,
    Timeline: () => html`<${Timeline} ...${at} />`, Sessions: () => html`<${Sessions} />`,
    Scenarios: () => html`<${Scenarios} ...${at} />`, Cassettes: () => html`<${Cassettes} ...${at} />`,
    Report: () => html`<${Report} session=${at.session} />`,
  });
  const details = /** @type {Record<string, () => unknown>} */ ({
    Tape: () => html`<${TapeDetails} ...${at} />`,
    Cassettes: () => html`<${CassetteDetails} arg=${at.arg} />`,
    Scenarios: () => html`<${ScenarioDetails} arg=${at.arg} />`,
  });
  const own = () => html`<${Details} session=${at.session}
    number=${['Live', 'Misses', 'Timeline'].includes(at.view) ? at.arg : ''} />`;
  const narrow = !['Sessions', 'Report'].includes(at.view);
  return html`<${Header} session=${at.session} theme=${theme} /><${Nav} at=${at} />
    <main aria-label=${at.view} class=${narrow ? '' : 'wide'}>
      ${state.problem && html`<p class="problem" role="alert">${state.problem}</p>`}
      <${RecordBar} session=${at.session} />${views[at.view]()}</main>
    ${narrow && (details[at.view] ?? own)()}
    <footer>${KEYS.slice(2, 5).map(([key, what]) => html`<kbd>${key}</kbd> ${what} · `)}
      <kbd>?</kbd> all keys · ${journal(at.session).done} exchanges
      <span role="status" aria-live="polite">${state.said}</span></footer>
    <dialog ref=${help} aria-label="Keys"><dl>${KEYS.map(([key, what]) => html`<dt>
      <kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
      <form method="dialog"><button>Close</button></form></dialog>`;
}

takeToken();
themed();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', themed);
start();
render(html`<${App} />`, /** @type {HTMLElement} */ (document.getElementById('app')));
