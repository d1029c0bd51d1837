// An app that is told of changed mail, as Microsoft's documentation asks for.
//
// "Receive change notifications through webhooks" and "Reduce missing subscriptions and change
// notifications" are the pages. It needs nothing but Node.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const RESOURCE = "me/messages";
const LIFETIME = 2 * 24 * 60 * 60 * 1000;

export class Mailbox {
  subjects = new Map();
  subscription = null;
  #seen = new Set();
  #state = randomBytes(24).toString("base64url");
  #work = Promise.resolve();

  constructor(baseUrl, token) {
    this.baseUrl = baseUrl;
    this.token = token;
    this.server = createServer((request, response) => this.#receive(request, response));
  }

  async listen(port) {
    this.server.listen(port, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Finishes what was accepted, then stops listening. */
  async close() {
    await this.settled();
    this.server.close();
    this.server.closeAllConnections?.();
  }

  async settled() {
    await this.#work;
  }

  async #receive(request, response) {
    let text = "";
    for await (const piece of request.setEncoding("utf8")) text += piece;
    const token = new URL(request.url, this.url).searchParams.get("validationToken");
    if (token !== null) {
      // Decoded, in plain text, within 10 seconds.
      response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" }).end(token);
      return;
    }
    // Queued and accepted at once: Graph waits a few seconds, and tries again otherwise.
    for (const item of JSON.parse(text).value) {
      this.#work = this.#work.then(() => this.#take(item));
    }
    response.writeHead(202).end();
  }

  async subscribe() {
    const made = await this.#call("POST", "subscriptions", {
      changeType: "created,updated,deleted",
      notificationUrl: `${this.url}/notifications`,
      lifecycleNotificationUrl: `${this.url}/lifecycle`,
      resource: RESOURCE,
      expirationDateTime: this.#end(),
      clientState: this.#state,
    });
    this.subscription = made.id;
  }

  renew() {
    return this.#call("PATCH", `subscriptions/${this.subscription}`, { expirationDateTime: this.#end() });
  }

  #end() {
    return new Date(Date.now() + LIFETIME).toISOString();
  }

  /** Reads everything: what notifications missed is there. */
  async resync() {
    const { value } = await this.#call("GET", `${RESOURCE}/delta`);
    for (const message of value) this.subjects.set(message.id, message.subject);
  }

  #isFromGraph(item) {
    const [said, own] = [Buffer.from(String(item.clientState)), Buffer.from(this.#state)];
    return said.length === own.length && timingSafeEqual(said, own);
  }

  async #take(item) {
    if (!this.#isFromGraph(item)) return;
    switch (item.lifecycleEvent) {
      case "reauthorizationRequired":
        return await this.renew();
      case "subscriptionRemoved":
        await this.subscribe();
        return await this.resync();
      case "missed":
        return await this.resync();
    }
    if (this.#seen.has(item.id)) return; // Graph may deliver one twice
    this.#seen.add(item.id);
    const { id } = item.resourceData;
    if (item.changeType === "deleted") this.subjects.delete(id);
    else this.subjects.set(id, (await this.#call("GET", item.resource)).subject);
  }

  async #call(method, path, body) {
    const answer = await fetch(`${this.baseUrl}/v1.0/${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}
