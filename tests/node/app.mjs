// An app that a test drives over its standard streams, as tests/clients/apps/app.py has it: a line
// in is a run of all jobs, the line out maps each job to what the app saw of it.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

export const TOKEN = "not-a-real-token";
export const SETTINGS = "/deviceManagement/chromeOSOnboardingSettings";
export const UNKNOWN_ID = "00000000-0000-0000-0000-00000000dead";
export const CONNECT = { ownerUserPrincipalName: "admin@contoso.com", ownerAccessToken: TOKEN };
export const PAGE = 2;
const POLLS = 10;

const digest = (bytes) => createHash("sha256").update(new Uint8Array(bytes)).digest("hex");

function jobs(client, data) {
  let setting = "";

  async function polls(end) {
    const seen = [];
    while (seen.length < POLLS && !seen.includes(end)) seen.push(await client.status(setting));
    return seen;
  }

  return {
    throttled: () => client.name(),
    pages: async () => {
      const pages = await client.pages();
      [[setting]] = pages;
      return pages.map((page) => page.length);
    },
    connect: () => client.connect(),
    onboarded: () => polls("onboarded"),
    disconnect: () => client.disconnect(),
    offboarded: () => polls("unknown"),
    batch: () => client.batch(),
    missing: () => client.missing(UNKNOWN_ID),
    download: async () => digest(await client.download()),
    upload: async () => {
      await client.upload(data);
      return digest(await client.download());
    },
  };
}

/** Answers runs until the input ends; `opened` makes a client of Graph's root. */
export async function serve(opened) {
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const run = jobs(opened(order.base), await readFile(order.upload));
    const outcomes = {};
    for (const name of order.jobs.split(" ")) {
      try {
        outcomes[name] = await run[name]();
      } catch (error) {
        const message = String(error.message).slice(0, 500);
        outcomes[name] = { raised: error.constructor.name, message, status: error.statusCode };
      }
    }
    console.log(JSON.stringify(outcomes));
  }
}
