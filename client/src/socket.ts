// The object that shiny.js gets in place of a WebSocket.
import { readConfig, type Config } from "./config.ts";
import type { Notice } from "./notice.ts";
import { Link, type Surroundings } from "./link.ts";
import { Peer, type PeerEvent } from "./peer.ts";
import { allowed, Routes } from "./routes.ts";

/** What a page offers; a test has its own. */
export interface Page extends Surroundings {
  /** A configuration with a session of its own, for a page whose session is over. */
  freshConfig(): Promise<Config>;
  /** Whether shiny.js itself will start a new session after this one (`session$allowReconnect`). */
  restarts(allowed: boolean): boolean;
  /** The transports that the visitor lets it use; null: all. */
  chosenTransports(): string[] | null;
}

const IDS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UNKNOWN = 4705;

/** As much of a WebSocket as shiny.js and its extensions use. */
export class SheenSocket extends EventTarget {
  readyState = 0;
  /** Whether shiny.js may start a new session in this page when this one has ended. */
  allowReconnect = false;
  binaryType = "arraybuffer";
  readonly bufferedAmount = 0;
  readonly extensions = "";
  readonly protocol = "";
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: Event & { code: number; reason: string; wasClean: boolean }) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  private peer!: Peer;
  private link!: Link;
  private renewals = 0;

  constructor(
    private config: Config | null,
    private page: Page,
    private notice: Notice,
  ) {
    super();
    if (config) this.begin(config);
    else this.renew();
  }

  get url(): string {
    return this.config?.websocketUrl ?? "";
  }

  /** What carries the session now, by its name; empty while nothing does. */
  get transport(): string {
    return this.link?.transport ?? "";
  }

  /** The session's present pass. */
  get ticket(): string {
    return this.config?.ticket ?? "";
  }

  send(data: unknown): void {
    if (this.readyState === 0) throw new DOMException("Still in CONNECTING state", "InvalidStateError");
    if (this.readyState > 1) return;
    if (typeof data !== "string") throw new TypeError("Sheen carries text; binary messages are not possible");
    this.peer.send(data);
    this.link.flush();
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState > 1) return;
    if (this.readyState === 1) {
      this.peer.close(code, reason);
      this.link.leave();
    } else this.link?.stop();
    this.readyState = 2;
    this.page.setTimeout(() => this.finish(code, reason, false), 0);
  }

  /** The page goes away: tell R at once, rather than letting it wait for a connection that will not come. */
  leave(): void {
    if (this.readyState === 1) {
      this.peer.close(1001, "");
      this.link.leave();
    }
    this.readyState = 3;
  }

  check(): void {
    if (this.readyState < 2) this.link?.check();
  }

  private begin(config: Config): void {
    this.config = config;
    this.peer = new Peer(robustId(this.page.random), config.settings);
    const routes = new Routes(allowed(config.settings.disabled, this.page.chosenTransports()));
    this.link = new Link(this.peer, config, routes, this.page, {
      event: (event) => this.event(event),
      lost: (since, retryAt) => this.notice.lost(since + config.settings.greyAfterSeconds * 1000, retryAt, () => this.link.reconnectNow()),
      trying: () => this.notice.trying(),
      restored: () => this.notice.restored(),
    });
    this.link.start();
  }

  private event(event: PeerEvent): void {
    switch (event.kind) {
      case "greeted":
        if (!event.first) return;
        this.peer.open();
        this.readyState = 1;
        this.emit("open", this.onopen, new Event("open"));
        this.link.flush();
        break;
      case "message":
        if (this.readyState === 1) {
          this.emit("message", this.onmessage, new MessageEvent("message", { data: event.text }));
        }
        break;
      case "ended":
        // A page from the browser's history shows a session that is over or another tab's: it gets its own.
        if (this.readyState === 0 && event.code === UNKNOWN && this.renewals++ < 2) this.renew();
        else this.finish(event.code, event.reason, true);
        break;
    }
  }

  private renew(): void {
    this.page.freshConfig().then(
      (config) => {
        if (this.readyState === 0) this.begin(config);
      },
      (error: unknown) => {
        console.error("sheen:", error);
        this.finish(4705, "This page could not start a new session. Reload it to try again.", true);
      },
    );
  }

  private finish(code: number, reason: string, tell: boolean): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.link?.stop();
    this.notice.restored();
    this.allowReconnect = code >= 4700 && code < 4800;
    const closed = Object.assign(new Event("close"), { code, reason, wasClean: true });
    this.emit("close", this.onclose, closed);
    if (tell && !this.page.restarts(this.allowReconnect)) this.notice.ended(code, reason);
  }

  private emit<E extends Event>(_type: string, handler: ((event: E) => void) | null, event: E): void {
    // As for a real socket, what a handler throws is reported and stops nothing else.
    try {
      handler?.call(this, event);
    } catch (error) {
      this.page.setTimeout(() => {
        throw error;
      }, 0);
    }
    this.dispatchEvent(event);
  }
}

function robustId(random: () => number): string {
  // As long as Shiny Server's (FACTS S7).
  return Array.from({ length: 18 }, () => IDS.charAt(Math.floor(random() * IDS.length))).join("");
}

/** The configuration of a page that is fetched anew, which may first be the waiting page. */
export async function fetchConfig(
  url: string,
  fetch: (url: string) => Promise<{ ok: boolean; text(): Promise<string> }>,
  parse: (html: string) => Document,
  wait: (milliseconds: number) => Promise<void>,
): Promise<Config> {
  for (let attempt = 0; attempt < 30; attempt++) {
    if (attempt) await wait(2000);
    try {
      const answer = await fetch(url);
      const config = readConfig(parse(await answer.text()));
      if (config) return config;
    } catch (error) {
      console.warn("sheen:", error);
    }
  }
  throw new Error("the app did not answer for a minute");
}
