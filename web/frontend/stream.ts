// The page's one event stream. Its messages carry no truth: "changed, version V"; whoever hears it asks the server.
// Tabs of one browser share a stream (a lock chooses who opens it, a channel passes it on), because HTTP/1.1 allows
// six connections an origin and each open stream holds one.

export type Connection = "live" | "reconnecting" | "polling" | "offline";

export interface Listener {
  connected(state: Connection): void;
  /** The stream gave a sign of life; nothing changed since the last change. */
  alive(): void;
  changed(): void;
}

type Message = { kind: "connected"; state: Connection } | { kind: "alive" } | { kind: "changed" } | { kind: "hello" };

const SILENCE = 45_000; // three heartbeats of 15 s missed: a proxy holds a dead connection
const LONGEST_WAIT = 15_000;
const POLL_BEFORE_RETRY = 30_000;

export class Stream {
  readonly #url: string;
  readonly #listener: Listener;
  #abort: AbortController | undefined;
  #channel: BroadcastChannel | undefined;
  #leading = false;
  #state: Connection = "reconnecting";

  constructor(url: string, listener: Listener) {
    this.#url = url;
    this.#listener = listener;
  }

  open(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    void this.#share(this.#abort.signal);
  }

  close(): void {
    this.#abort?.abort();
    this.#abort = undefined;
    this.#channel?.close();
    this.#channel = undefined;
    this.#leading = false;
  }

  async #share(signal: AbortSignal): Promise<void> {
    // Locks exist in secure contexts only; elsewhere every visible tab has its own stream.
    if (!("locks" in navigator)) return this.#lead(signal);
    this.#channel = new BroadcastChannel(`flower ${this.#url}`);
    this.#channel.onmessage = (event: MessageEvent<Message>) => this.#hear(event.data);
    this.#channel.postMessage({ kind: "hello" } satisfies Message);
    await navigator.locks.request(`flower ${this.#url}`, { signal }, () => this.#lead(signal)).catch(() => undefined);
  }

  #hear(message: Message): void {
    if (message.kind === "hello") {
      if (this.#leading) this.#channel?.postMessage({ kind: "connected", state: this.#state } satisfies Message);
    } else {
      this.#tell(message);
    }
  }

  #say(message: Exclude<Message, { kind: "hello" }>): void {
    this.#tell(message);
    this.#channel?.postMessage(message);
  }

  #tell(message: Exclude<Message, { kind: "hello" }>): void {
    if (message.kind === "changed") return this.#listener.changed();
    if (message.kind === "alive") return this.#listener.alive();
    this.#state = message.state;
    this.#listener.connected(message.state);
  }

  async #lead(signal: AbortSignal): Promise<void> {
    this.#leading = true;
    let failures = 0;
    while (!signal.aborted) {
      const answered = await this.#follow(signal, () => (failures = 0)).catch(() => undefined);
      if (signal.aborted) return;
      failures += 1;
      if (answered === "refused") {
        this.#say({ kind: "connected", state: "polling" });
        await pause(POLL_BEFORE_RETRY, signal);
      } else {
        this.#say({ kind: "connected", state: navigator.onLine ? "reconnecting" : "offline" });
        await pause(Math.min(LONGEST_WAIT, 500 * 2 ** failures) * (0.5 + Math.random() / 2), signal);
      }
    }
  }

  /** Read one connection to its end. EventSource would hide both the heartbeats and the status of a refusal. */
  async #follow(signal: AbortSignal, begun: () => void): Promise<"refused" | "ended"> {
    const silent = new AbortController();
    let watch = setTimeout(() => silent.abort(), SILENCE);
    try {
      const response = await fetch(this.#url, {
        headers: { Accept: "text/event-stream" },
        cache: "no-store",
        signal: AbortSignal.any([signal, silent.signal]),
      });
      if (!response.ok || !response.body) return "refused";
      begun();
      this.#say({ kind: "connected", state: "live" });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return "ended";
        clearTimeout(watch);
        watch = setTimeout(() => silent.abort(), SILENCE);
        const blocks = (rest + value).replaceAll("\r", "").split("\n\n");
        rest = blocks.pop() ?? "";
        this.#say({ kind: blocks.some((block) => /^event: ?changed$/m.test(block)) ? "changed" : "alive" });
      }
    } finally {
      clearTimeout(watch);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const wake = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", wake, { once: true });
    addEventListener("online", wake, { once: true });
  });
}
