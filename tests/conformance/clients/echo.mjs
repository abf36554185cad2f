// A client of npm's ws for Autobahn's fuzzing server: runs every case and sends back what comes.
//   node echo.mjs BASE_URL AGENT HOST
// HOST is what the Host field says: the fuzzing server takes no other than its own address.
import { WebSocket } from "ws";

const [base, agent, host] = process.argv.slice(2);

function session(path, on_message) {
  return new Promise((resolve) => {
    const socket = new WebSocket(base + path, { headers: { host }, maxPayload: 0, perMessageDeflate: true });
    socket.on("message", (data, binary) => on_message(socket, data, binary));
    socket.on("error", () => {}); // a broken frame is what many cases are about; ws closes by itself
    socket.on("close", resolve);
  });
}

let count;
await session("/getCaseCount", (_, data) => (count = JSON.parse(data)));
if (!count) throw new Error(`${base} has no cases`);
for (let number = 1; number <= count; ++number) {
  await session(`/runCase?case=${number}&agent=${agent}`, (socket, data, binary) => socket.send(data, { binary }));
}
await session(`/updateReports?agent=${agent}`, () => {});
