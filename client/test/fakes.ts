import { DEFAULTS, type Config } from "../src/config.ts";
import type { Notice } from "../src/notice.ts";
import type { Page } from "../src/socket.ts";
import type { SockJsSocket } from "../src/wire.ts";

export const config = (): Config => ({
  session: "s1",
  ticket: "t1",
  websocketUrl: "/socket",
  base: "/hello",
  worker: "v1.0.1",
  settings: { ...DEFAULTS },
});

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  readyState = 0;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(data: string): void {
    if (this.readyState !== 1) throw new Error("not open");
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  say(frame: string): void {
    this.onmessage?.({ data: frame });
  }

  cut(): void {
    this.readyState = 3;
    this.onclose?.();
  }
}

/** A SockJS client whose other end is the test. */
export class FakeSockJs implements SockJsSocket {
  readyState = 0;
  transport: string | null = null;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onheartbeat: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly transports: string[],
  ) {}

  send(message: string): void {
    this.sent.push(message);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.transport = this.transports[0] ?? null;
    this.onopen?.();
  }

  say(...messages: string[]): void {
    for (const data of messages) this.onmessage?.({ data });
  }

  cut(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
}

/** A page whose clock and network the test plays. */
export class FakePage implements Page {
  sockets: FakeSocket[] = [];
  fallbacks: FakeSockJs[] = [];
  cookies: string[] = [];
  beacons: [string, string][] = [];
  chosen: string[] | null = null;
  time = 0;
  location = { protocol: "https:", host: "apps.example.com" };
  fresh: Config[] = [];
  restart = false;
  private timers: { at: number; work: () => void }[] = [];

  socket(url: string, protocols: string[]): WebSocket {
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket as unknown as WebSocket;
  }

  sockjs(url: string, transports: string[], session: (name: string) => void): SockJsSocket {
    const socket = new FakeSockJs(url, transports);
    this.fallbacks.push(socket);
    session("abc");
    return socket;
  }

  get fallback(): FakeSockJs {
    return this.fallbacks[this.fallbacks.length - 1]!;
  }

  beacon(url: string, body: string): void {
    this.beacons.push([url, body]);
  }

  setCookie(cookie: string): void {
    this.cookies.push(cookie);
  }

  chosenTransports(): string[] | null {
    return this.chosen;
  }

  get last(): FakeSocket {
    return this.sockets[this.sockets.length - 1]!;
  }

  keepsCookies = true;
  now = () => this.time;
  random = () => 0.5;

  setTimeout(work: () => void, milliseconds: number): unknown {
    const timer = { at: this.time + milliseconds, work };
    this.timers.push(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.timers = this.timers.filter((other) => other !== timer);
  }

  async freshConfig(): Promise<Config> {
    const next = this.fresh.shift();
    if (!next) throw new Error("none");
    return next;
  }

  restarts(allowed: boolean): boolean {
    return this.restart && allowed;
  }

  /** Let time pass, timer by timer. */
  async pass(seconds: number): Promise<void> {
    const end = this.time + seconds * 1000;
    for (;;) {
      await turn();
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.clearTimeout(next);
      this.time = Math.max(this.time, next.at);
      next.work();
    }
    this.time = end;
    await turn();
  }
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export class FakeNotice implements Notice {
  log: string[] = [];
  reconnectNow: () => void = () => undefined;
  lost(greyAt: number, retryAt: number, reconnectNow: () => void): void {
    this.reconnectNow = reconnectNow;
    this.log.push(`lost ${greyAt} ${retryAt}`);
  }
  trying(): void {
    this.log.push("trying");
  }
  restored(): void {
    this.log.push("restored");
  }
  ended(code: number, reason: string): void {
    this.log.push(`ended ${code} ${reason}`);
  }
}
