// Keeps a session connected: connections that come and go under one Peer.
import { socketUrl, type Config } from "./config.ts";
import type { Peer, PeerEvent } from "./peer.ts";
import type { Routes } from "./routes.ts";
import type { ServerFrame } from "./sockjs.ts";
import { asFrame, SockJsWire, WebSocketWire, type SockJsPage, type Wire, type WireEvent } from "./wire.ts";

/** What the link needs of its surroundings; a test has its own. */
export interface Surroundings extends SockJsPage {
  socket(url: string, protocols: string[]): WebSocket;
  /** Whether the browser keeps cookies for this page. */
  keepsCookies: boolean;
  now(): number;
  random: () => number;
  setTimeout(work: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
}

export interface LinkEvents {
  event(event: PeerEvent): void;
  /** The connection is lost; the next attempt is at `retryAt`. */
  lost(since: number, retryAt: number): void;
  /** An attempt to reconnect is under way. */
  trying(): void;
  /** The session is connected (again). */
  restored(): void;
}

const PROBE_TIMEOUT = 6000; // with another way to go
const HELLO_TIMEOUT = 20_000; // a first frame may meet cold Lambdas
const SOCKJS_TIMEOUT = 60_000; // it tries its transports one after the other
const PONG_TIMEOUT = 10_000;
const STALL = 10_000;
const LATE = 10_000; // for a heartbeat
const TICK = 1000;
const MARGIN = 10_000; // the server's grace counts from when it noticed
const RESERVATION = 45_000; // so long a page's session waits for its first connection (FACTS S10)
const STEPS = [200, 1000, 2000, 3000, 4000];
const LOST = { code: 4705, reason: "The connection was lost for too long, so your session has ended. Reload the page to start a new one." };
const FOR_GOOD = {
  code: 4705,
  reason: "The connection was lost, and this app does not resume sessions. Reload the page to start a new one.",
};
const GARBLED = { code: 4704, reason: "Something garbled the connection between this page and the app. Reload the page to start again." };
const NO_WAY = { code: 4509, reason: "This app's settings leave no way to connect to it. Whoever runs it can change disable_protocols." };

export class Link {
  private current: Wire | null = null;
  private openedAt = 0;
  private greeted = false;
  private lastHeard = 0;
  private lastTraffic = 0;
  private lastSaid = 0;
  private pingedAt: number | null = null;
  private cutSince: number | null = null;
  private failures = 0;
  private retry: unknown = null;
  private ticker: unknown = null;
  private flushing = false;
  private triedAt = 0;
  private patience = HELLO_TIMEOUT;
  private refreshing: Wire | null = null;
  private over = false;

  constructor(
    private peer: Peer,
    private config: Config,
    private routes: Routes,
    private around: Surroundings,
    private events: LinkEvents,
  ) {}

  /** What carries the session now, by its name. */
  get transport(): string {
    return this.greeted ? (this.current?.transport ?? "") : "";
  }

  start(): void {
    if (this.routes.none) {
      this.around.setTimeout(() => this.end(NO_WAY), 0);
      return;
    }
    this.connect();
    this.tick();
  }

  /** Something may be there to send: everything that is queued in one turn goes in one frame. */
  flush(): void {
    if (this.flushing || this.over) return;
    this.flushing = true;
    void Promise.resolve().then(() => {
      this.flushing = false;
      this.transmit();
    });
  }

  /** Try now instead of at the end of the countdown. */
  reconnectNow(): void {
    if (this.over || this.current) return;
    this.around.clearTimeout(this.retry);
    this.connect();
  }

  /** The network or the page has come back: make sure that the connection still is one. */
  check(): void {
    if (this.over) return;
    if (!this.current) this.reconnectNow();
    else if (this.greeted) this.ping();
  }

  /** Send what is queued at once and leave: the page is going away. */
  leave(): void {
    if (this.over) return;
    const wire = this.current;
    if (wire?.ready && this.greeted) {
      for (let frame = this.peer.take(this.around.now()); frame !== null; frame = this.peer.take(this.around.now())) {
        wire.sendLast(frame);
      }
    }
    this.stop();
  }

  stop(): void {
    this.over = true;
    this.around.clearTimeout(this.retry);
    this.around.clearTimeout(this.ticker);
    this.refreshing?.close();
    this.current?.close();
    this.current = this.refreshing = null;
  }

  private connect(): void {
    this.retry = null;
    this.triedAt = this.around.now();
    if (this.cutSince !== null) this.events.trying();
    const probing = this.routes.probing;
    if (this.routes.next() === "websocket") {
      this.patience = probing ? PROBE_TIMEOUT : HELLO_TIMEOUT;
      this.use(this.openSocket());
    } else {
      this.patience = SOCKJS_TIMEOUT;
      this.use(new SockJsWire(this.config, this.peer.introduce(this.triedAt), this.routes.fallbacks, this.around));
    }
  }

  private openSocket(): Wire {
    const kind = this.peer.resuming ? "o" : "n";
    const url = `${socketUrl(this.config, this.around.location)}?${kind}=${this.peer.id}`;
    return new WebSocketWire(this.around.socket(url, ["sheen", `ticket.${this.config.ticket}`]));
  }

  private use(wire: Wire): void {
    this.current = wire;
    this.greeted = false;
    this.pingedAt = null;
    this.lastHeard = this.lastTraffic = this.lastSaid = this.openedAt = this.around.now();
    wire.on = (event) => this.happened(wire, event);
    if (wire.ready) this.happened(wire, { kind: "opened" });
  }

  private happened(wire: Wire, event: WireEvent): void {
    if (this.over) return;
    switch (event.kind) {
      case "opened":
        if (wire === this.current) wire.send(asFrame(this.peer.introduce(this.around.now()), this.around.keepsCookies));
        break;
      case "frame":
        this.received(wire, event.frame);
        break;
      case "undelivered":
        // Which frame it was, the next connection will find out.
        if (wire === this.current) this.abandon();
        break;
      case "garbled":
        console.error("sheen:", event.error);
        this.end(GARBLED);
        break;
      case "closed":
        this.lost(wire);
        break;
    }
  }

  private received(wire: Wire, frame: ServerFrame): void {
    const now = this.around.now();
    this.lastHeard = this.lastTraffic = now;
    let events: PeerEvent[];
    try {
      events = this.peer.hear(frame, now);
    } catch (error) {
      console.error("sheen:", error);
      this.end(GARBLED);
      return;
    }
    if (wire === this.current) this.pingedAt = null;
    for (const event of events) {
      if (event.kind === "ticket") this.config.ticket = event.ticket;
      if (event.kind === "greeted") this.restored(wire);
      if (event.kind === "ended") this.stop();
      this.events.event(event);
    }
    this.flush();
  }

  private restored(wire: Wire): void {
    this.greeted = true;
    this.failures = 0;
    this.cutSince = null;
    this.routes.worked(wire.way);
    this.refreshing?.close();
    this.refreshing = null;
    this.events.restored();
  }

  private transmit(): void {
    if (!this.current?.ready || !this.greeted) return;
    const now = this.around.now();
    for (let frame = this.peer.take(now); frame !== null; frame = this.peer.take(now)) {
      this.current.send(frame);
      this.lastTraffic = this.lastSaid = now;
    }
  }

  private lost(wire: Wire): void {
    if (wire === this.refreshing) {
      this.refreshing = null;
      return;
    }
    if (this.over || wire !== this.current) return;
    this.current = null;
    const { settings } = this.config;
    if (this.peer.resuming && !settings.reconnect) return this.end(FOR_GOOD);
    const now = this.around.now();
    this.cutSince ??= now;
    const deadline = this.cutSince + (this.peer.resuming ? settings.graceSeconds * 1000 + MARGIN : RESERVATION);
    if (this.triedAt > deadline) return this.end(LOST);
    // At once, then in growing steps with jitter, so that a thousand pages do not come back in one second.
    const step = STEPS[Math.min(this.failures++, STEPS.length - 1)]!;
    const delay = step * (0.5 + this.around.random());
    this.retry = this.around.setTimeout(() => this.connect(), delay);
    this.events.lost(this.cutSince, now + delay);
  }

  private end(why: { code: number; reason: string }): void {
    this.stop();
    this.events.event({ kind: "ended", ...why });
  }

  /** Give a connection up that does not work any more. */
  private abandon(): void {
    const wire = this.current;
    if (!wire) return;
    wire.close();
    this.lost(wire);
  }

  private ping(): void {
    if (this.pingedAt !== null) return;
    this.pingedAt = this.around.now();
    this.peer.ping();
    this.transmit();
  }

  /** Move to a fresh connection; the old one serves until the new one does. */
  private refresh(): void {
    const fresh = this.openSocket();
    const old = this.current;
    this.openedAt = this.around.now(); // the next try, should this one fail, comes as late again
    this.refreshing = fresh;
    fresh.on = (event) => {
      if (event.kind === "closed") this.lost(fresh);
      if (event.kind !== "opened") return;
      if (this.over || this.refreshing !== fresh) return fresh.close();
      if (this.current !== old) {
        // The old one was lost meanwhile, and another attempt is on its way.
        this.refreshing = null;
        return fresh.close();
      }
      this.refreshing = old;
      this.use(fresh);
    };
  }

  private tick(): void {
    if (this.over) return;
    const now = this.around.now();
    const { keepaliveSeconds, aliveSeconds, refreshSeconds, heartbeatSeconds } = this.config.settings;
    this.peer.tick(now);
    if (this.current && !this.greeted && now - this.openedAt > this.patience) this.abandon();
    else if (this.current && this.pingedAt !== null && now - this.pingedAt > PONG_TIMEOUT) this.abandon();
    else if (this.current && this.greeted) {
      const silence = now - this.lastHeard;
      const stalled = (this.peer.waiting && silence > STALL) || silence > heartbeatSeconds * 1000 + LATE;
      // A poll is a sign of life by itself.
      const mute = this.current.way === "websocket" && aliveSeconds > 0 && now - this.lastSaid > aliveSeconds * 1000;
      if (stalled || mute || now - this.lastTraffic > keepaliveSeconds * 1000) this.ping();
      // Only a WebSocket is cut by age.
      const aged = this.current?.way === "websocket" && now - this.openedAt > refreshSeconds * 1000;
      if (aged && !this.refreshing) this.refresh();
      this.transmit();
    }
    this.ticker = this.around.setTimeout(() => this.tick(), Math.min(TICK, (keepaliveSeconds * 1000) / 4));
  }
}
