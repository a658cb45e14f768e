// One connection, whatever carries it.
import type { Config } from "./config.ts";
import { ProtocolError } from "./errors.ts";
import { hexadecimal } from "./robust.ts";
import { decode, type ServerFrame } from "./sockjs.ts";

export type WireEvent =
  /** It is open and waits for the hello. */
  | { kind: "opened" }
  | { kind: "frame"; frame: ServerFrame }
  /** A frame of ours did not reach the agent. */
  | { kind: "undelivered" }
  | { kind: "garbled"; error: unknown }
  | { kind: "closed" };

export interface Wire {
  /** Who hears of it; changed when a connection changes its part. */
  on: (event: WireEvent) => void;
  readonly way: "websocket" | "sockjs";
  /** The transport's name, once it is known. */
  readonly transport: string;
  /** Whether frames can be sent. */
  readonly ready: boolean;
  send(frame: string): void;
  /** Send while the page goes away. */
  sendLast(frame: string): void;
  close(): void;
}

/** How a connection introduces itself: workers/relay/hello.py. */
export interface Hello {
  id: string;
  resume: boolean;
  attempt: number;
  /** The next number expected. */
  next: number;
}

/** The hello as a WebSocket's first frame. `cookies`: whether the browser keeps cookies for this page. */
export function asFrame(hello: Hello, cookies = true): string {
  return JSON.stringify({ sheen: 1, ...hello, next: hexadecimal(hello.next), ...(cookies ? {} : { cookies }) });
}

/** The hello as a part of SockJS's prefix: workers/relay/transports/urls.py. */
export function asPath(hello: Hello, worker: string): string {
  const own = `${hello.resume ? "o" : "n"}=${hello.id}/h=${hello.attempt}.${hexadecimal(hello.next)}`;
  return worker ? `${own}/w=${encodeURIComponent(worker)}` : own;
}

export class WebSocketWire implements Wire {
  on: (event: WireEvent) => void = () => undefined;
  readonly way = "websocket";
  readonly transport = "websocket";

  constructor(private socket: WebSocket) {
    socket.onopen = () => this.on({ kind: "opened" });
    socket.onclose = () => this.on({ kind: "closed" });
    socket.onmessage = (message) => this.received(message.data);
  }

  get ready(): boolean {
    return this.socket.readyState === 1;
  }

  send(frame: string): void {
    this.socket.send(frame);
  }

  sendLast(frame: string): void {
    this.socket.send(frame);
  }

  close(): void {
    this.on = () => undefined;
    try {
      this.socket.close();
    } catch {
      // It was closing already.
    }
  }

  private received(data: unknown): void {
    if (typeof data !== "string") return;
    if (data.startsWith("{")) return this.on({ kind: "undelivered" }); // API Gateway says so
    let frame: ServerFrame;
    try {
      frame = decode(data);
    } catch (error) {
      return this.on({ kind: "garbled", error });
    }
    this.on({ kind: "frame", frame });
  }
}

/** As much as is used of what `new SockJS()` gives. */
export interface SockJsSocket {
  readonly readyState: number;
  readonly transport?: string | null;
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onheartbeat?: (() => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  send(message: string): void;
  close(): void;
}

/** What a page offers for SockJS; a test has its own. */
export interface SockJsPage {
  sockjs(url: string, transports: string[], session: (name: string) => void): SockJsSocket;
  /** Send a body although the page goes away. */
  beacon(url: string, body: string): void;
  setCookie(cookie: string): void;
  location: { protocol: string; host: string };
}

/** The `<server>` part of SockJS's URLs, which means nothing. */
export const SERVER = "000";
const ENDED = 4000;
const TICKET_LIFE = 600;

/** SockJS's URL introduces the connection and its `open` greets; from there on it says what a WebSocket does. */
export class SockJsWire implements Wire {
  on: (event: WireEvent) => void = () => undefined;
  readonly way = "sockjs";
  private socket: SockJsSocket;
  private session = "";
  private readonly url: string;

  constructor(
    config: Config,
    hello: Hello,
    transports: string[],
    private page: SockJsPage,
  ) {
    const prefix = `${config.base}/__sockjs__/`;
    // A cookie of its own, so that two tabs of one browser do not take each other's sessions.
    if (!hello.resume) page.setCookie(cookie(config.ticket, `${prefix}n=${hello.id}`, page.location.protocol === "https:"));
    this.url = `${page.location.protocol}//${page.location.host}${prefix}${asPath(hello, config.worker)}`;
    this.socket = page.sockjs(this.url, transports, (name) => (this.session = name));
    this.socket.onopen = () => this.on({ kind: "frame", frame: { kind: "open" } });
    this.socket.onheartbeat = () => this.on({ kind: "frame", frame: { kind: "heartbeat" } });
    this.socket.onmessage = ({ data }) => this.received(data);
    this.socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  get transport(): string {
    return this.socket.transport ?? "";
  }

  get ready(): boolean {
    return this.socket.readyState === 1;
  }

  send(frame: string): void {
    // SockJS makes an array of what there is while its last request is on its way.
    for (const message of JSON.parse(frame) as string[]) this.socket.send(message);
  }

  sendLast(frame: string): void {
    this.page.beacon(`${this.url}/${SERVER}/${this.session}/xhr_send`, frame);
  }

  close(): void {
    this.on = () => undefined;
    try {
      this.socket.close();
    } catch {
      // It was closing already.
    }
  }

  private received(data: unknown): void {
    if (typeof data === "string") this.on({ kind: "frame", frame: { kind: "messages", messages: [data] } });
    else this.on({ kind: "garbled", error: new ProtocolError("a message that is no text") });
  }

  private closed(code: number, reason: string): void {
    // Below are SockJS's own reasons: a request failed, or another one was still open.
    if (code >= ENDED && code < 5000) this.on({ kind: "frame", frame: { kind: "close", code, reason } });
    else this.on({ kind: "closed" });
  }
}

/** Whether the browser keeps cookies for the app at `base`; in a frame on another site's page it may not. */
export function keepsCookies(document: { cookie: string }, base: string, secure: boolean): boolean {
  const probe = (life: number) => `sheen-probe=1; path=${base}/; max-age=${life}; ${siteOf(secure)}`;
  try {
    document.cookie = probe(60);
    const kept = document.cookie.split("; ").includes("sheen-probe=1");
    document.cookie = probe(0);
    return kept;
  } catch {
    return false; // a sandboxed frame
  }
}

function cookie(ticket: string, path: string, secure: boolean): string {
  return `sheen-ticket=${ticket}; path=${path}; max-age=${TICKET_LIFE}; ${siteOf(secure)}`;
}

function siteOf(secure: boolean): string {
  // In a frame on another site's page only `None` is sent back, and where others' cookies are blocked only `Partitioned`.
  // Whose page asks is checked otherwise.
  return `SameSite=${secure ? "None; Secure; Partitioned" : "Lax"}`;
}
