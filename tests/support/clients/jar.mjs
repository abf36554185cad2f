// A cookie jar that outlives reconnects and serves HTTP and websocket alike. No domain or path rules:
// everything here is one origin.

export class Jar {
  #cookies = new Map();

  learn(setCookieLines) {
    for (const line of setCookieLines ?? []) {
      const [pair, ...attributes] = line.split(";");
      const at = pair.indexOf("=");
      if (at < 1) continue;
      const name = pair.slice(0, at).trim();
      const gone = attributes.some((attribute) => /^\s*max-age\s*=\s*0\s*$/i.test(attribute));
      if (gone) this.#cookies.delete(name);
      else this.#cookies.set(name, pair.slice(at + 1).trim());
    }
  }

  header() {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  get(name) {
    return this.#cookies.get(name);
  }
}
