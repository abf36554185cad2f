// Which front-door node a client talks to: at random, but for a while not to one that just failed, as a
// browser does with a name that has several addresses.

export class Nodes {
  constructor(urls, { retryMs }) {
    this.urls = urls;
    this.retryMs = retryMs;
    this.failedAt = new Map();
  }

  pick() {
    const now = Date.now();
    const good = this.urls.filter((url) => now - (this.failedAt.get(url) ?? -Infinity) > this.retryMs);
    const from = good.length ? good : this.urls;
    return from[Math.floor(Math.random() * from.length)];
  }

  failed(url) {
    if (url) this.failedAt.set(url, Date.now());
  }
}
