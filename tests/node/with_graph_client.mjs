// The app on @microsoft/microsoft-graph-client.

import graph from "@microsoft/microsoft-graph-client";
import { CONNECT, PAGE, SETTINGS, TOKEN, UNKNOWN_ID, serve } from "./app.mjs";

const { BatchRequestContent, BatchResponseContent, Client, GraphError, ResponseType } = graph;

class GraphClient {
  constructor(root) {
    this.client = Client.init({
      baseUrl: root,
      // Without the port: the client sends its token to Graph's hosts and these, over https only.
      customHosts: new Set([new URL(root).hostname]),
      defaultVersion: "beta",
      authProvider: (done) => done(null, TOKEN),
    });
  }

  name = async () => (await this.client.api("/me").get()).displayName;

  async pages() {
    const pages = [];
    let page = await this.client.api(SETTINGS).top(PAGE).get();
    for (;;) {
      pages.push(page.value.map((item) => item.id));
      if (!page["@odata.nextLink"]) return pages;
      page = await this.client.api(page["@odata.nextLink"]).get();
    }
  }

  connect = async () => (await this.client.api(`${SETTINGS}/connect`).post(CONNECT)).value;
  disconnect = async () => (await this.client.api(`${SETTINGS}/disconnect`).post()).value;
  status = async (id) => (await this.client.api(`${SETTINGS}/${id}`).get()).onboardingStatus;

  async batch() {
    // Its host goes, its path stays whole; a version in it would be doubled.
    const at = (path) => new Request(`https://graph.microsoft.com${path}`);
    const content = new BatchRequestContent([
      { id: "me", request: at("/me") },
      { id: "none", request: at(`${SETTINGS}/${UNKNOWN_ID}`) },
      { id: "list", request: at(SETTINGS) },
    ]);
    const answered = await this.client.api("/$batch").post(await content.getContent());
    const parts = [...new BatchResponseContent(answered).getResponses()];
    return Object.fromEntries(parts.map(([id, part]) => [id, part.status]));
  }

  async missing() {
    try {
      await this.status(UNKNOWN_ID);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      return { type: "GraphError", status: error.statusCode, code: error.code };
    }
    throw new Error("it was there");
  }

  download = () => this.#photo().responseType(ResponseType.ARRAYBUFFER).get();
  upload = (data) => this.#photo().header("Content-Type", "image/jpeg").put(data);
  #photo = () => this.client.api("/me/photo/$value");
}

await serve((root) => new GraphClient(root));
