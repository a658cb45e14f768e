// Keeps a session connected: WebSockets that come and go under one Peer.
import { socketUrl, type Config } from "./config.ts";
import { Peer, type PeerEvent } from "./peer.ts";

/** What the link needs of its surroundings; a test has its own. */
export interface Surroundings {
  socket(url: string, protocols: string[]): WebSocket;
  now(): number;
  random(): number;
  setTimeout(work: () => void, milliseconds: number): unknown;
  clearTimeout(timer: unknown): void;
  location: { protocol: string; host: string };
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

const HELLO_TIMEOUT = 20_000; // a first frame may meet cold Lambdas
const PONG_TIMEOUT = 10_000;
const STALL = 10_000;
const TICK = 1000;
const MARGIN = 10_000; // the server's grace counts from when it noticed
const LOST = { code: 4705, reason: "The connection was lost for too long, so your session has ended. Reload the page to start a new one." };
const GARBLED = { code: 4704, reason: "Something garbled the connection between this page and the app. Reload the page to start again." };

export class Link {
  private current: WebSocket | null = null;
  private openedAt = 0;
  private greeted = false;
  private lastHeard = 0;
  private lastTraffic = 0;
  private pingedAt: number | null = null;
  private cutSince: number | null = null;
  private failures = 0;
  private retry: unknown = null;
  private ticker: unknown = null;
  private flushing = false;
  private triedAt = 0;
  private refreshing: WebSocket | null = null;
  private over = false;

  constructor(
    private peer: Peer,
    private config: Config,
    private around: Surroundings,
    private events: LinkEvents,
  ) {}

  start(): void {
    this.connect();
    this.tick();
  }

  /** Something may be there to send: everything that is queued in one turn goes in one frame. */
  flush(): void {
    if (this.flushing || this.over) return;
    this.flushing = true;
    Promise.resolve().then(() => {
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
    this.transmit();
    this.stop();
  }

  stop(): void {
    this.over = true;
    this.around.clearTimeout(this.retry);
    this.around.clearTimeout(this.ticker);
    this.drop(this.refreshing);
    this.drop(this.current);
    this.current = this.refreshing = null;
  }

  private connect(): void {
    this.retry = null;
    this.triedAt = this.around.now();
    if (this.cutSince !== null) this.events.trying();
    this.use(this.open());
  }

  private open(): WebSocket {
    const kind = this.peer.resuming ? "o" : "n";
    const url = `${socketUrl(this.config, this.around.location)}?${kind}=${this.peer.id}`;
    return this.around.socket(url, ["sheen", `ticket.${this.config.ticket}`]);
  }

  private use(socket: WebSocket): void {
    this.current = socket;
    this.greeted = false;
    this.pingedAt = null;
    this.lastHeard = this.lastTraffic = this.openedAt = this.around.now();
    const hello = () => {
      if (socket === this.current) socket.send(this.peer.connect(this.around.now()));
    };
    socket.onmessage = (message) => this.received(socket, message.data);
    socket.onclose = () => this.lost(socket);
    if (socket.readyState === 1) hello();
    else socket.onopen = hello;
  }

  private received(socket: WebSocket, data: unknown): void {
    if (this.over || typeof data !== "string") return;
    const now = this.around.now();
    this.lastHeard = this.lastTraffic = now;
    if (data.startsWith("{")) {
      // API Gateway: a frame of ours did not reach the agent. Which one, the next connection will find out.
      if (socket === this.current) this.abandon();
      return;
    }
    let events: PeerEvent[];
    try {
      events = this.peer.receive(data, now);
    } catch (error) {
      console.error("sheen:", error);
      events = [{ kind: "ended", ...GARBLED }];
    }
    if (socket === this.current) this.pingedAt = null;
    for (const event of events) {
      if (event.kind === "ticket") this.config.ticket = event.ticket;
      if (event.kind === "greeted") this.restored();
      if (event.kind === "ended") this.stop();
      this.events.event(event);
    }
    this.flush();
  }

  private restored(): void {
    this.greeted = true;
    this.failures = 0;
    this.cutSince = null;
    this.drop(this.refreshing);
    this.refreshing = null;
    this.events.restored();
  }

  private transmit(): void {
    if (!this.current || this.current.readyState !== 1 || !this.greeted) return;
    const now = this.around.now();
    for (let frame = this.peer.take(now); frame !== null; frame = this.peer.take(now)) {
      this.current.send(frame);
      this.lastTraffic = now;
    }
  }

  private lost(socket: WebSocket): void {
    if (socket === this.refreshing) {
      this.refreshing = null;
      return;
    }
    if (this.over || socket !== this.current) return;
    this.current = null;
    const now = this.around.now();
    this.cutSince ??= now;
    const deadline = this.cutSince + this.config.settings.graceSeconds * 1000 + MARGIN;
    if (this.triedAt > deadline) {
      this.stop();
      this.events.event({ kind: "ended", ...LOST });
      return;
    }
    // At once, then in growing steps with jitter, so that a thousand pages do not come back in one second.
    const steps = [200, 1000, 2000, 3000, 4000];
    const step = steps[Math.min(this.failures++, steps.length - 1)]!;
    const delay = step * (0.5 + this.around.random());
    this.retry = this.around.setTimeout(() => this.connect(), delay);
    this.events.lost(this.cutSince, now + delay);
  }

  /** Give a connection up that does not work any more. */
  private abandon(): void {
    const socket = this.current;
    if (!socket) return;
    this.drop(socket);
    this.lost(socket);
  }

  private drop(socket: WebSocket | null): void {
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close();
    } catch {
      // It was closing already.
    }
  }

  private ping(): void {
    if (this.pingedAt !== null) return;
    this.pingedAt = this.around.now();
    this.peer.ping();
    this.transmit();
  }

  /** Move to a fresh connection; the old one serves until the new one does. */
  private refresh(): void {
    const fresh = this.open();
    const old = this.current;
    this.openedAt = this.around.now(); // the next try, should this one fail, comes as late again
    this.refreshing = fresh;
    fresh.onclose = () => this.lost(fresh);
    fresh.onopen = () => {
      if (this.over || this.refreshing !== fresh) return this.drop(fresh);
      if (this.current !== old) {
        // The old one was lost meanwhile, and another attempt is on its way.
        this.refreshing = null;
        return this.drop(fresh);
      }
      this.refreshing = old;
      this.use(fresh);
    };
  }

  private tick(): void {
    if (this.over) return;
    const now = this.around.now();
    const { keepaliveSeconds, refreshSeconds } = this.config.settings;
    this.peer.tick(now);
    if (this.current && !this.greeted && now - this.openedAt > HELLO_TIMEOUT) this.abandon();
    else if (this.current && this.pingedAt !== null && now - this.pingedAt > PONG_TIMEOUT) this.abandon();
    else if (this.current && this.greeted) {
      const stalled = this.peer.waiting && now - this.lastHeard > STALL;
      if (stalled || now - this.lastTraffic > keepaliveSeconds * 1000) this.ping();
      if (!this.refreshing && now - this.openedAt > refreshSeconds * 1000) this.refresh();
      this.transmit();
    }
    this.ticker = this.around.setTimeout(() => this.tick(), TICK);
  }
}
