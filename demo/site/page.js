// Shows which node and which replica this page talks to, live over the Socket.IO websocket, and what
// happened to it.

const hues = { alpha: "#3b6fd4", beta: "#c07a1e", gamma: "#8a55c8" };
const show = (id, text) => (document.getElementById(id).textContent = text);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

let nodes = [location.origin];
let at = 0;
let replica = null;
let acks = 0;
let lostAt = null;
let longest = 0;
let reconnects = -1;

function tell(text, kind = "") {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  const what = document.createElement("span");
  what.className = kind;
  what.textContent = text;
  line.append(time, what);
  const list = document.getElementById("events");
  list.prepend(line);
  while (list.children.length > 30) list.lastChild.remove();
}

// Reconnects as Open WebUI's page does.
const socket = io(location.origin, {
  path: "/ws/socket.io",
  transports: ["websocket"],
  reconnectionDelay: 1000,
  reconnectionDelayMax: 5000,
  randomizationFactor: 0.5,
});

// Browsers find the other node by the name's second address; this page knows it by its port.
function turnToTheNextNode() {
  if (nodes.length < 2) return;
  at = (at + 1) % nodes.length;
  socket.io.uri = nodes[at];
}

function port() {
  return `:${new URL(nodes[at]).port || 443}`;
}

function moved(name) {
  if (name === replica) return;
  tell(replica ? `moved from replica ${replica} to ${name}` : `welcome at replica ${name}`, replica ? "bad" : "good");
  replica = name;
  show("replica", name);
  document.documentElement.style.setProperty("--home", hues[name] ?? "inherit");
}

socket.on("connect", () => {
  document.body.classList.add("live");
  document.getElementById("state").classList.add("on");
  show("state", "connected");
  show("node", port());
  show("sid", socket.io.engine.id);
  show("reconnects", ++reconnects);
  socket.emit("whoami", {}, (who) => {
    const cookie = Object.fromEntries(who.headers).cookie ?? "";
    show("session", /(?:^|; )usher=([^;]*)/.exec(cookie)?.[1] ?? "none yet");
    const same = lostAt && who.replica === replica;
    if (lostAt) {
      const gap = Date.now() - lostAt;
      longest = Math.max(longest, gap);
      show("gap", seconds(longest));
      tell(`back after ${seconds(gap)} through node ${port()}${same ? `, still at replica ${replica}` : ""}`, "good");
    }
    lostAt = null;
    moved(who.replica);
  });
});

socket.on("disconnect", (reason) => {
  document.body.classList.remove("live");
  document.getElementById("state").classList.remove("on");
  show("state", "reconnecting");
  lostAt = Date.now();
  tell(`socket lost: ${reason}`, "bad");
});

socket.on("connect_error", () => {
  lostAt ??= Date.now();
  turnToTheNextNode();
});

setInterval(() => {
  if (!socket.connected) return;
  const began = performance.now();
  socket.emit("echo", { at: began }, () => {
    acks += 1;
    show("latency", `${(performance.now() - began).toFixed(1)} ms`);
  });
}, 100);

setInterval(() => {
  show("rate", acks);
  acks = 0;
}, 1000);

async function askByHttp() {
  try {
    const who = await (await fetch("/whoami", { cache: "no-store" })).json();
    show("http", `replica ${who.replica}${who.replica === replica ? ", the same" : ""}`);
  } catch {
    show("http", "no answer from this page's node");
  }
}
setInterval(askByHttp, 2000);

fetch("/nodes.json")
  .then((answer) => answer.json())
  .then((list) => {
    if (!list.includes(location.origin)) return;
    nodes = list;
    at = list.indexOf(location.origin);
  });
