// Tests of an app that is notified of changes: offline, with node's own test runner.
//
// Run them:  npm test
//
// package.json has the command. Each test has a session of its own, so that none hears of another's
// changes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Mailbox } from "./mailbox.js";

const { GRAPHTAPE_CONTROL_URL, APP_PORT = "3000" } = process.env;
const MESSAGE = "AAMkExample1";

async function control(method, path, body) {
  const answer = await fetch(GRAPHTAPE_CONTROL_URL + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

/** Gives a test an app that has subscribed, in a session of its own. */
async function subscribed(t) {
  const opened = await control("POST", "/sessions", {});
  const session = `/sessions/${opened.id}`;
  const mailbox = new Mailbox(opened.base_url, "not-a-real-token");
  await mailbox.listen(Number(APP_PORT));
  t.after(async () => {
    await mailbox.close();
    await control("DELETE", session);
  });
  await mailbox.subscribe();
  const notifications = async () => (await control("GET", `${session}/notifications`)).notifications;
  return {
    mailbox,
    /** Lets something happen in the mailbox, and waits until the app has dealt with it. */
    happens: async (what) => {
      await control("POST", `${session}/notifications`, what);
      for (let tries = 0; (await notifications()).some((each) => each.state === "pending"); tries++) {
        assert.ok(tries < 500, "the app didn't accept it");
        await setTimeout(20);
      }
      await mailbox.settled();
    },
    calls: async () =>
      (await control("GET", `${session}/journal`)).entries.map(
        (each) => `${each.method} ${each.url.split("/v1.0/")[1]}`,
      ),
  };
}

const changed = { resource: `me/messages/${MESSAGE}`, changeType: "updated" };

test("a changed message is read", async (t) => {
  const { mailbox, happens } = await subscribed(t);
  await happens(changed);
  assert.deepEqual([...mailbox.subjects], [[MESSAGE, "Minutes of Monday"]]);
});

test("a notification that comes twice is processed once", async (t) => {
  const { happens, calls } = await subscribed(t);
  await happens({ ...changed, fault: "doubled" });
  const reads = (await calls()).filter((each) => each === `GET me/messages/${MESSAGE}`);
  assert.equal(reads.length, 1);
});

test("a notification with a wrong state is ignored", async (t) => {
  const { happens, calls } = await subscribed(t);
  await happens({ ...changed, fault: "wrong-client-state" });
  assert.deepEqual(await calls(), ["POST subscriptions"]);
});

test("a subscription that is about to end is renewed", async (t) => {
  const { mailbox, happens, calls } = await subscribed(t);
  await happens({ lifecycleEvent: "reauthorizationRequired" });
  assert.deepEqual((await calls()).slice(1), [`PATCH subscriptions/${mailbox.subscription}`]);
});

test("a subscription that was removed is made again", async (t) => {
  const { mailbox, happens } = await subscribed(t);
  const first = mailbox.subscription;
  await happens({ lifecycleEvent: "subscriptionRemoved" });
  assert.notEqual(mailbox.subscription, first);
  assert.equal(mailbox.subjects.size, 2);
});

test("what was missed is read", async (t) => {
  const { mailbox, happens } = await subscribed(t);
  await happens({ ...changed, fault: "missed" });
  assert.equal(mailbox.subjects.size, 2);
});
