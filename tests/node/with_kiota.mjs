// The app on kiota's TypeScript adapter, its request bodies compressed. The beta SDK's package for
// device management isn't published: requests are written as its generated code would.

import {
  BaseBearerTokenAuthenticationProvider,
  HttpMethod,
  ParseNodeFactoryRegistry,
  RequestInformation,
} from "@microsoft/kiota-abstractions";
import {
  FetchRequestAdapter,
  KiotaClientFactory,
  MiddlewareFactory,
} from "@microsoft/kiota-http-fetchlibrary";
import { JsonParseNodeFactory } from "@microsoft/kiota-serialization-json";
import { CONNECT, PAGE, SETTINGS, TOKEN, UNKNOWN_ID, serve } from "./app.mjs";

// As kiota generates it: how to read the error, and its `error` within.
const mainError = () => (into) => ({ code: (node) => (into.code = node.getStringValue()) });
const errorOf = () => (into) => ({
  error: (node) => (into.error = node.getObjectValue(mainError)),
});
// What the adapter throws is no Error: an object that these have filled, and its status.
const ERRORS = { XXX: errorOf };

class GraphAdapter extends FetchRequestAdapter {
  constructor(root) {
    const token = { getAuthorizationToken: async () => TOKEN };
    const parsers = new ParseNodeFactoryRegistry();
    parsers.registerDefaultDeserializer(JsonParseNodeFactory, undefined);
    // These gzip request bodies.
    const middlewares = MiddlewareFactory.getPerformanceMiddlewares();
    super(
      new BaseBearerTokenAuthenticationProvider(token),
      parsers,
      undefined,
      KiotaClientFactory.create(undefined, middlewares),
    );
    this.baseUrl = `${root}/beta`;
  }
}

class KiotaClient {
  constructor(root) {
    this.adapter = new GraphAdapter(root);
  }

  #info(method, path) {
    const at = { baseurl: this.adapter.baseUrl };
    const info = new RequestInformation(method, `{+baseurl}${path}`, at);
    info.headers.add("Accept", "application/json");
    return info;
  }

  #bytes(info) {
    return this.adapter.sendPrimitive(info, "ArrayBuffer", ERRORS);
  }

  async #json(info, body) {
    if (body) {
      info.setStreamContent(new TextEncoder().encode(JSON.stringify(body)), "application/json");
    }
    return JSON.parse(new TextDecoder().decode(await this.#bytes(info)));
  }

  name = async () => (await this.#json(this.#info(HttpMethod.GET, "/me"))).displayName;

  async pages() {
    const pages = [];
    const first = this.#info(HttpMethod.GET, `${SETTINGS}{?%24top}`);
    first.queryParameters["%24top"] = PAGE;
    let page = await this.#json(first);
    for (;;) {
      pages.push(page.value.map((item) => item.id));
      if (!page["@odata.nextLink"]) return pages;
      const next = new RequestInformation(HttpMethod.GET);
      next.URL = page["@odata.nextLink"];
      page = await this.#json(next);
    }
  }

  connect = async () => (await this.#post("/connect", CONNECT)).value;
  disconnect = async () => (await this.#post("/disconnect")).value;
  #post = (action, body) => this.#json(this.#info(HttpMethod.POST, SETTINGS + action), body);

  async status(id) {
    return (await this.#json(this.#info(HttpMethod.GET, `${SETTINGS}/${id}`))).onboardingStatus;
  }

  async batch() {
    const requests = [
      { id: "me", method: "GET", url: "/me" },
      { id: "none", method: "GET", url: `${SETTINGS}/${UNKNOWN_ID}` },
      { id: "list", method: "GET", url: SETTINGS },
    ];
    const answered = await this.#json(this.#info(HttpMethod.POST, "/$batch"), { requests });
    return Object.fromEntries(answered.responses.map((part) => [part.id, part.status]));
  }

  async missing() {
    try {
      await this.status(UNKNOWN_ID);
    } catch (error) {
      if (!error.error) throw error;
      const { code } = error.error;
      return { type: error.constructor.name, status: error.responseStatusCode, code };
    }
    throw new Error("it was there");
  }

  download = () => this.#bytes(this.#info(HttpMethod.GET, "/me/photo/$value"));

  async upload(data) {
    const info = this.#info(HttpMethod.PUT, "/me/photo/$value");
    info.setStreamContent(data, "image/jpeg");
    await this.adapter.sendNoResponseContent(info, ERRORS);
  }
}

await serve((root) => new KiotaClient(root));
