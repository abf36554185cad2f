// The WebSocket of npm's ws with one difference: each message is an event of its own, as in a browser. With all of
// those that one read brought in one event, a suite that awaits them one after the other loses the second one, and
// what the network happened to join decides how a case ends.
import { WebSocket } from "ws";

globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { allowSynchronousEvents: false });
  }
};
