// An echo server of npm's ws. Answers /ready, so that a health check finds it well.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const http = createServer((request, response) => {
  response.statusCode = request.url === "/ready" ? 200 : 404;
  response.end();
});
const server = new WebSocketServer({ server: http, maxPayload: 0, perMessageDeflate: true });
server.on("connection", (socket) => {
  socket.on("error", () => {}); // a broken frame is what many cases are about; ws closes by itself
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
http.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ event: "ready", port: http.address().port })));
