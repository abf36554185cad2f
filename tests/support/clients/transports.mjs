// Transports for socket.io-client that pick a front-door node and keep cookies as a browser would. They
// are the library's own transports; only the address and the cookies are decided here.

import { NodeWebSocket, NodeXHR } from "engine.io-client";

// When a request was sent, for the replica's journal: what order requests had at the client, no other log can say.
export function sentNow() {
  return ["x-test-sent", String(Date.now() / 1000)];
}

// The library builds its address from opts.hostname, opts.port and opts.secure.
function aim(transport, node) {
  const url = new URL(node);
  transport.opts.secure = url.protocol === "https:";
  transport.opts.hostname = url.hostname;
  transport.opts.port = url.port;
}

export function transportsOf({ kind, nodes, jar, agents, perRequestRandom, onNode, onStatus }) {
  class Polling extends NodeXHR {
    uri() {
      if (!this.node || perRequestRandom) {
        this.node = nodes.pick();
        aim(this, this.node);
        onNode(this.node);
      }
      return super.uri();
    }

    request(opts = {}) {
      // uri() settles node and protocol, the agent must fit it: keep-alive, as in a browser.
      const uri = this.uri();
      const node = this.node;
      const sent = Date.now() / 1000;
      this.opts.agent = uri.startsWith("https:") ? agents.https : agents.http;
      this.opts.cookieJar = {
        addCookies: (xhr) => {
          xhr.setDisableHeaderCheck(true);
          xhr.setRequestHeader(...sentNow());
          if (jar?.header()) xhr.setRequestHeader("cookie", jar.header());
        },
        parseCookies: (lines) => jar?.learn(lines),
      };
      this.uri = () => uri;
      const request = super.request(opts);
      delete this.uri;
      request.on("error", (status, xhr) => {
        const http = typeof status === "number" ? status : 0;
        if (http === 0) nodes.failed(node);
        onStatus({ sent, status: http, method: opts.method ?? "GET", body: http ? xhr?.responseText : String(xhr?.statusText ?? status), node });
      });
      return request;
    }
  }

  class WebSocket extends NodeWebSocket {
    uri() {
      if (!this.node) {
        this.node = nodes.pick();
        aim(this, this.node);
        onNode(this.node);
      }
      return super.uri();
    }

    createSocket(uri, protocols, opts) {
      opts.headers = { ...opts.headers, ...Object.fromEntries([sentNow()]) };
      if (jar?.header()) opts.headers.cookie = jar.header();
      const sent = Date.now() / 1000;
      const socket = super.createSocket(uri, protocols, opts);
      socket.on("upgrade", (response) => jar?.learn(response.headers["set-cookie"]));
      socket.on("unexpected-response", (request, response) => {
        onStatus({ sent, status: response.statusCode, method: "WEBSOCKET", node: this.node });
        request.destroy();
        socket.emit("error", new Error(`unexpected response ${response.statusCode}`));
      });
      socket.on("error", (error) => {
        if (error.code === "ECONNREFUSED" || error.code === "ECONNRESET") nodes.failed(this.node);
      });
      socket.on("close", (code) => {
        if (code === 1006) nodes.failed(this.node);
      });
      return socket;
    }
  }

  return [kind === "polling" ? Polling : WebSocket];
}
