// Tests of an app that uses the JavaScript Graph client: offline, with node's own test runner.
//
// Run them:                  npm test
// Record the cassette anew:  npm run record
//
// Both stand in package.json: `graphtape replay … --tls -- node --test` starts the proxy, has node
// trust its certificate, and names it in the environment.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OffboardingError, offboard } from "./offboarding.js";

const { GRAPH_BASE_URL, GRAPHTAPE_CONTROL_URL } = process.env;
const TOKEN = "not-a-real-token";
const fast = { pause: 0, polls: 5 };

async function control(method, path, body) {
  const answer = await fetch(GRAPHTAPE_CONTROL_URL + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

/** Gives a test a session of its own: it plays the cassette from its start, bent as `bent` says. */
async function session(t, bent) {
  const opened = await control("POST", "/sessions", bent);
  t.after(() => control("DELETE", `/sessions/${opened.id}`));
  return {
    baseUrl: opened.base_url,
    calls: async () => (await control("GET", `/sessions/${opened.id}/journal`)).entries,
  };
}

// This one has the session that is there without asking, so that it can be recorded.
test("it waits until every setting is let go", async () => {
  const seen = await offboard(GRAPH_BASE_URL, TOKEN, fast);
  assert.deepEqual(seen, [
    ["offboarding", "offboarding", "offboarding"],
    ["offboarding", "offboarding", "offboarding"],
    ["unknown", "unknown", "unknown"],
  ]);
});

test("a disconnect that fails at once isn't polled", async (t) => {
  const { baseUrl, calls } = await session(t, { status: "disconnect=failed" });
  const failed = new OffboardingError("Intune didn't take the disconnect");
  await assert.rejects(offboard(baseUrl, TOKEN, fast), failed);
  assert.deepEqual((await calls()).map((call) => call.method), ["POST"]);
});

test("a disconnect that fails later is told", async (t) => {
  const { baseUrl } = await session(t, { scenario: "late-failure" });
  const failed = new OffboardingError("the disconnect was taken, and failed later");
  await assert.rejects(offboard(baseUrl, TOKEN, fast), failed);
});

test("it gives up on a tenant that is never let go", async (t) => {
  const { baseUrl } = await session(t, { scenario: "stuck-offboarding" });
  await assert.rejects(offboard(baseUrl, TOKEN, fast), new OffboardingError("not done after 5 polls"));
});

test("a throttled disconnect is repeated once Graph allows it", async (t) => {
  const { baseUrl, calls } = await session(t, { scenario: "throttled" });
  assert.equal((await offboard(baseUrl, TOKEN, fast)).length, 3);
  assert.deepEqual((await calls()).map((call) => call.status), [429, 200, 200, 200, 200]);
});
