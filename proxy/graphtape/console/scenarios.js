// @ts-check
/** Scenarios there are, which are on, and what they say. */
import {html} from '/console/vendor/preact-htm.js';
import {session as path} from '/console/api.js';
import {direct} from '/console/direct.js';
import {state} from '/console/store.js';
import {address} from '/console/route.js';
import {map, useAnswer} from '/console/use.js';

/** @param {{session: string, arg: string}} props */
export function Scenarios({session, arg}) {
  const on = state.sessions.find((each) => each.id === session)?.scenario ?? [];
  const {found: report} = useAnswer(`${path(session)}/report`, `${state.turn}`);
  const idle = report?.rules_without_effect ?? [];
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Scenarios there are">
    <p>On in session ${session}: <strong>${on.join(', ') || 'none'}</strong>.
      ${map(report?.faults, (each) => html` ${each.why}: ${each.times}.`)}
    </p>
    ${idle.length > 0 && html`<p>Rules without effect: ${idle.join(', ')}</p>`}
    <table><caption>Presets and files</caption>
    <thead><tr><th>Name</th><th>On</th><th>Description</th></tr></thead>
    <tbody>${state.scenarios.map((each) => html`<tr
        aria-current=${each.name === arg ? 'true' : undefined}>
      <td><a href=${address(session, 'scenarios', each.name)}>${each.name}</a></td>
      <td><button type="button" aria-pressed=${on.includes(each.name)}
        aria-label=${`${each.name} on`}
        onClick=${() => direct(session, {scenario: on.includes(each.name)
          ? on.filter((/** @type {string} */ name) => name !== each.name) : [...on, each.name]})}>
        ${on.includes(each.name) ? 'on' : 'off'}</button></td>
      <td>${each.description}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{arg: string}} props */
export function ScenarioDetails({arg}) {
  const {found, problem} = useAnswer(arg && `/scenarios/${encodeURIComponent(arg)}`);
  return html`<section class="details" aria-label="Details" tabindex="0" id="details">
    ${problem && html`<p class="problem">${problem}</p>`}
    ${found ? html`<h2>${found.name}</h2><pre class="code">${found.text}</pre>`
      : html`<p>Choose a scenario to see its rules.</p>`}</section>`;
}
