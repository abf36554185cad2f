// The Node reference servers, with the options and handlers that the protocol suites ask for.
//   node reference.mjs engine.io|socket.io
// Answers /ready, so that a health check finds it well. Says on standard output where it listens.
import { createServer } from "node:http";
import { Server as EngineServer } from "engine.io";
import { Server as SocketServer } from "socket.io";

const options = { pingInterval: 300, pingTimeout: 200, maxPayload: 1e6, cors: { origin: "*" } };

const http = createServer((request, response) => {
  response.statusCode = request.url === "/ready" ? 200 : 404;
  response.end();
});

const serve = {
  "engine.io"() {
    const engine = new EngineServer(options);
    engine.attach(http, { path: "/engine.io/" });
    engine.on("connection", (socket) => socket.on("data", (...data) => socket.send(...data)));
  },
  "socket.io"() {
    const io = new SocketServer(http, { ...options, connectTimeout: 1000 });
    io.on("connection", (socket) => {
      socket.emit("auth", socket.handshake.auth);
      socket.on("message", (...data) => socket.emit("message-back", ...data));
      socket.on("message-with-ack", (...data) => data.pop()(...data));
    });
    io.of("/custom").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));
  },
};

serve[process.argv[2]]();
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ event: "ready", port: http.address().port })));
