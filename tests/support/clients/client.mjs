// One socket.io client that behaves as Open WebUI's page does, and reports what happens to it.

import http from "node:http";
import https from "node:https";
import { io } from "socket.io-client";
import { Jar } from "./jar.mjs";
import { sentNow, transportsOf } from "./transports.mjs";

// One request, as the page makes beside its socket. Resolves with status and Set-Cookie lines.
function ask(url, { body, ...options }) {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? https : http).request(url, options, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode, cookies: response.headers["set-cookie"] }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

export class Client {
  constructor(id, options, nodes, report) {
    this.id = id;
    this.options = options;
    this.nodes = nodes;
    this.report = (event, fields = {}) => report({ event, client: id, ...fields });
    this.jar = options.jar ? new Jar() : null;
    this.agents = {
      http: new http.Agent({ keepAlive: true }),
      https: new https.Agent({ keepAlive: true, rejectUnauthorized: false }),
    };
    this.asked = 0;
    this.fetched = 0;
    this.said = 0;
    this.acked = 0;
    this.lost = 0;
    this.connects = 0;
    this.worst = 0;
    this.socket = io(nodes.urls[0], {
      path: "/ws/socket.io",
      transports: transportsOf({
        kind: options.transport,
        nodes,
        jar: this.jar,
        agents: this.agents,
        perRequestRandom: options.perRequestRandom,
        onNode: (node) => (this.node = node),
        onStatus: (fields) => this.report("http_error", fields),
      }),
      query: { client: id },
      auth: { token: id },
      forceNew: true,
      rejectUnauthorized: false,
      reconnection: true,
      reconnectionDelay: 1000,
      reconnectionDelayMax: 5000,
      randomizationFactor: 0.5,
    });
    this.socket.on("connect", () => this.#connected());
    this.socket.on("disconnect", (reason, details) => {
      this.report("disconnect", { reason, details: details?.description?.message ?? details?.message, node: this.node });
    });
    this.socket.on("connect_error", (error) => {
      this.report("connect_error", { message: error.message, description: String(error.description?.message ?? error.description ?? ""), node: this.node });
    });
    this.socket.on("events", (data) => this.report("room", { data }));
  }

  #connected() {
    this.connects += 1;
    const { socket } = this;
    this.report("connect", { node: this.node, sid: socket.id, engine_sid: socket.io.engine.id, connects: this.connects });
    socket.emit("user-join", { auth: { token: this.id } });
    socket.emit("whoami", {}, (who) => {
      this.replica = who.replica;
      this.report("replica", { replica: who.replica, engine_sid: who.engine_sid, cookie: this.jar?.get("usher") ?? null });
    });
    this.ticker ??= setInterval(() => this.#echo(), this.options.intervalMs);
    if (this.options.httpMs) this.fetcher ??= setInterval(() => this.#fetch(), this.options.httpMs);
  }

  async #fetch() {
    const node = this.nodes.pick();
    const began = performance.now();
    const sent = Date.now() / 1000;
    const headers = Object.fromEntries([sentNow()]);
    if (this.jar?.header()) headers.cookie = this.jar.header();
    const post = this.options.posts && this.asked++ % 2 === 1;
    const what = post ? { method: "POST", body: "x".repeat(1000), path: "/echo" } : { method: "GET", path: "/api/version" };
    const agent = node.startsWith("https:") ? this.agents.https : this.agents.http;
    try {
      const { path, ...options } = what;
      const { status, cookies } = await ask(`${node}${path}?client=${this.id}`, { agent, headers, ...options });
      this.jar?.learn(cookies);
      this.fetched += 1;
      const ms = performance.now() - began;
      if (status !== 200) this.report("http_error", { sent, status, method: what.method, node });
      if (ms >= this.options.slowMs) this.report("slow", { ms, fetch: true, node });
    } catch (error) {
      this.nodes.failed(node);
      this.report("http_error", { sent, status: 0, method: what.method, body: error.message, node });
    }
  }

  #echo() {
    const { socket } = this;
    if (!socket.connected) return;
    const began = performance.now();
    const id = `${this.id}/${this.said++}`;
    socket.timeout(this.options.ackMs).emit(this.options.event, { client: this.id, id }, (error) => {
      const ms = performance.now() - began;
      if (error) {
        // The ack of a message whose socket was lost can never come; that loss has its own event.
        this.lost += 1;
        if (socket.connected) this.report("ack_timeout", { ms, replica: this.replica });
        return;
      }
      this.acked += 1;
      if (this.options.tellAcks) this.report("ack", { node: this.node });
      this.worst = Math.max(this.worst, ms);
      if (ms >= this.options.slowMs) this.report("slow", { ms, replica: this.replica });
    });
  }

  state() {
    const { id, replica, node, connects, said, acked, fetched, lost, worst } = this;
    return { client: id, connected: this.socket.connected, replica, node, connects, said, acked, fetched, lost, worst };
  }

  // Nothing more is said; what was is still answered.
  hush() {
    clearInterval(this.ticker);
    clearInterval(this.fetcher);
  }

  resetWorst() {
    this.worst = 0;
  }

  stop() {
    this.hush();
    this.socket.disconnect();
    this.agents.http.destroy();
    this.agents.https.destroy();
  }
}
