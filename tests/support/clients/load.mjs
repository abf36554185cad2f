// Opens N socket.io clients and reports, as JSON lines on standard output, what happens to them.
//   node load.mjs --nodes URL,URL --clients N --transport websocket|polling [--no-jar] [--per-request-random]
// Commands on standard input, one a line: "report", "emit-room USER TEXT", "reset", "hush", "stop". The end
// of standard input stops it too, so that it never outlives the test that started it.

import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Client } from "./client.mjs";
import { Nodes } from "./nodes.mjs";

const { values } = parseArgs({
  options: {
    nodes: { type: "string" },
    clients: { type: "string", default: "1" },
    transport: { type: "string", default: "websocket" },
    prefix: { type: "string", default: "client" },
    "no-jar": { type: "boolean", default: false },
    "per-request-random": { type: "boolean", default: false },
    event: { type: "string", default: "echo" }, // what is said, again and again
    "interval-ms": { type: "string", default: "1000" },
    "http-ms": { type: "string", default: "0" },
    posts: { type: "boolean", default: false }, // every other page is a POST
    "tell-acks": { type: "boolean", default: false },
    "ack-ms": { type: "string", default: "30000" },
    "slow-ms": { type: "string", default: "500" },
    "ramp-ms": { type: "string", default: "10" },
    "node-retry-ms": { type: "string", default: "20000" },
  },
});

process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");

const started = Date.now();
function report(line) {
  process.stdout.write(JSON.stringify({ ms: Date.now() - started, time: Date.now() / 1000, ...line }) + "\n");
}

const nodes = new Nodes(values.nodes.split(","), { retryMs: Number(values["node-retry-ms"]) });
const options = {
  transport: values.transport,
  jar: !values["no-jar"],
  perRequestRandom: values["per-request-random"],
  event: values.event,
  intervalMs: Number(values["interval-ms"]),
  httpMs: Number(values["http-ms"]),
  posts: values.posts,
  tellAcks: values["tell-acks"],
  ackMs: Number(values["ack-ms"]),
  slowMs: Number(values["slow-ms"]),
};

const clients = [];
for (let n = 0; n < Number(values.clients); n++) {
  // One after the other: a test of routing, not of the accept queue.
  setTimeout(() => clients.push(new Client(`${values.prefix}-${n}`, options, nodes, report)), n * Number(values["ramp-ms"]));
}

function stop() {
  for (const client of clients) client.stop();
  report({ event: "stopped" });
  // Give the goodbyes a moment to leave.
  setTimeout(() => process.exit(0), 200);
}

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const [command, ...rest] = line.trim().split(" ");
  if (command === "stop") stop();
  if (command === "report") report({ event: "report", clients: clients.map((client) => client.state()) });
  if (command === "reset") for (const client of clients) client.resetWorst();
  if (command === "hush") for (const client of clients) client.hush();
  if (command === "emit-room") clients[0].socket.emit("room", { user: rest[0], text: rest.slice(1).join(" ") });
});
commands.on("close", stop);
