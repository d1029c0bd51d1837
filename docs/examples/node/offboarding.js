// The app under test: it disconnects a tenant from ChromeOS, with the JavaScript Graph client.

import { setTimeout as sleep } from "node:timers/promises";
import graph from "@microsoft/microsoft-graph-client";

const SETTINGS = "/deviceManagement/chromeOSOnboardingSettings";

/** The tenant is still connected. */
export class OffboardingError extends Error {}

/**
 * Disconnects, and waits until every setting is let go.
 *
 * @param {string} baseUrl `https://graph.microsoft.com`, or what stands in for it.
 * @param {string} token With DeviceManagementConfiguration.ReadWrite.All.
 * @param {{pause?: number, polls?: number}} options Milliseconds between two polls; how many of
 *   them, before it gives up.
 * @returns {Promise<string[][]>} The statuses each poll saw.
 */
export async function offboard(baseUrl, token, { pause = 10_000, polls = 30 } = {}) {
  const client = graph.Client.init({
    baseUrl,
    // The client sends its token over https only, and to no host but Graph's and these.
    customHosts: new Set([new URL(baseUrl).hostname]),
    defaultVersion: "beta",
    authProvider: (done) => done(null, token),
  });

  const answer = await client.api(`${SETTINGS}/disconnect`).post();
  if (answer.value === "failed") throw new OffboardingError("Intune didn't take the disconnect");

  const seen = [];
  while (seen.length < polls) {
    const page = await client.api(SETTINGS).get();
    const statuses = page.value.map((setting) => setting.onboardingStatus);
    seen.push(statuses);
    if (statuses.includes("failed")) {
      throw new OffboardingError("the disconnect was taken, and failed later");
    }
    if (statuses.every((status) => status === "unknown")) return seen;
    await sleep(pause);
  }
  throw new OffboardingError(`not done after ${polls} polls`);
}
