// The live controller: hears the stream, decides when the page may ask, and tells how old its data is.
import { duration } from "./durations";
import { pausedByReader, pauseReason, togglePause } from "./pauses";
import { refreshRegion } from "./regions";
import { refreshRows } from "./rows";
import { type Connection, Stream } from "./stream";

const INTERVAL = 500; // the server speaks at most twice a second
const POLL = 5_000;
const UNASKED = 10_000; // that a collector, a broker or a worker went silent is told by no message
const AFTER_FAILURE = 5_000;
const GATHER = 50; // a stream's opening and its first message make one request

class Live {
  readonly #indicator: HTMLElement;
  readonly #interval: number;
  readonly #stream: Stream;
  #connection: Connection = "reconnecting";
  #dirty = false;
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #notBefore = 0;
  #synced = Date.now();

  constructor(indicator: HTMLElement) {
    this.#indicator = indicator;
    this.#interval = Number(indicator.dataset.interval) || INTERVAL;
    this.#stream = new Stream(indicator.dataset.stream ?? "", {
      connected: (state) => this.#connected(state),
      alive: () => this.#alive(),
      changed: () => this.#changed(),
    });
  }

  start(): void {
    for (const name of ["change", "selectionchange", "close"]) {
      document.addEventListener(name, () => this.#consider(), true);
    }
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("offline", () => this.#offline());
    addEventListener("online", () => this.#stream.open());
    addEventListener("pagehide", () => this.#stream.close());
    addEventListener("pageshow", (event) => event.persisted && this.#visibility());
    this.#button()?.addEventListener("click", () => {
      togglePause();
      this.#consider();
    });
    setInterval(() => this.#consider(), 1_000);
    setInterval(() => this.#connection === "polling" && this.#changed(), POLL);
    setInterval(() => this.#connection === "live" && this.#changed(), UNASKED);
    this.#visibility();
  }

  #connected(state: Connection): void {
    const fresh = state === "live" || state === "polling";
    this.#connection = state;
    // Whatever happened while nobody listened is not repeated: the page fetches its whole state again.
    if (fresh) this.#changed();
    this.#show();
  }

  #alive(): void {
    if (!this.#dirty && !this.#busy) this.#synced = Date.now();
  }

  #changed(): void {
    this.#dirty = true;
    this.#consider();
  }

  #offline(): void {
    this.#stream.close();
    this.#connected("offline");
  }

  #visibility(): void {
    if (document.hidden) {
      this.#stream.close();
    } else if (navigator.onLine) {
      this.#stream.open();
    } else {
      this.#offline();
    }
  }

  #mayPatch = (): boolean => pauseReason() === undefined && !document.hidden;

  #consider(): void {
    this.#show();
    if (!this.#dirty || this.#busy || this.#timer !== undefined || !this.#mayPatch() || this.#connection === "offline") return;
    const wait = Math.max(GATHER, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#mayPatch()) void this.#refresh();
    }, wait);
  }

  async #refresh(): Promise<void> {
    const begun = performance.now();
    this.#busy = true;
    this.#dirty = false;
    let rest = this.#interval;
    try {
      if (await this.#patch()) {
        this.#synced = Date.now();
      } else {
        this.#dirty = true;
      }
    } catch {
      this.#dirty = true;
      rest = AFTER_FAILURE;
    }
    const ended = performance.now();
    this.#notBefore = ended + Math.max(rest, 4 * (ended - begun)); // a slow server is asked less often
    this.#busy = false;
    this.#consider();
  }

  async #patch(): Promise<boolean> {
    const table = document.querySelector<HTMLTableElement>("table[data-live-rows]");
    if (table) return refreshRows(table, this.#mayPatch);
    const region = document.querySelector<HTMLElement>("[data-live-region]");
    return region ? refreshRegion(region, this.#mayPatch) : true;
  }

  #button(): HTMLButtonElement | null {
    return this.#indicator.querySelector("button");
  }

  #show(): void {
    const reason = pauseReason();
    this.#indicator.dataset.connection = this.#connection;
    this.#indicator.toggleAttribute("data-paused", reason !== undefined);
    setText(this.#indicator.querySelector(".live-status"), this.#words(reason));
    const age = (Date.now() - this.#synced) / 1000;
    setText(this.#indicator.querySelector(".live-age"), age < 2 ? "data up to date" : `data ${duration(age)} old`);
    const button = this.#button();
    button?.setAttribute("aria-pressed", String(pausedByReader()));
    setText(button, pausedByReader() ? "Resume" : "Pause");
  }

  #words(reason: string | undefined): string {
    const from = new Date(this.#synced).toTimeString().slice(0, 8);
    if (this.#connection === "offline") return `Offline, data from ${from}`;
    if (reason) return `Updates paused: ${reason}`;
    if (this.#connection === "reconnecting") return `Reconnecting, data from ${from}`;
    return this.#connection === "polling" ? `Polling every ${POLL / 1000} s` : "Live";
  }
}

/** Only when it differs: the indicator is a live region, and what is set again is read aloud again. */
function setText(element: Element | null, text: string): void {
  if (element && element.textContent !== text) element.textContent = text;
}

export function startLive(): void {
  const indicator = document.querySelector<HTMLElement>("[data-stream]");
  if (indicator) new Live(indicator).start();
}
