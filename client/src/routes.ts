// Which way a page's connections take: the WebSocket API, or SockJS's HTTP transports through the REST API. Without I/O.

/** Every transport by Shiny Server's name for it, in the order in which they are tried. */
export const TRANSPORTS = [
  "websocket",
  // A response arrives whole (FACTS H2), so the transports that stream give nothing and cost more: they come last.
  "xhr-polling",
  "iframe-xhr-polling",
  "jsonp-polling",
  "xhr-streaming",
  "iframe-eventsource",
  "iframe-htmlfile",
] as const;

export type Transport = (typeof TRANSPORTS)[number];
export type Way = "websocket" | "sockjs";

/** What is left of the transports without what the app (`disable_protocols`) and the visitor switched off. */
export function allowed(disabled: readonly string[], chosen: readonly string[] | null): Transport[] {
  const offered = TRANSPORTS.filter((transport) => !disabled.includes(transport));
  const wished = chosen ? offered.filter((transport) => chosen.includes(transport)) : offered;
  // A visitor's choice that leaves nothing, for another app perhaps, is none.
  return wished.length ? wished : offered;
}

export class Routes {
  /** What SockJS may use. */
  readonly fallbacks: Transport[];
  private readonly websocket: boolean;
  private proven: Way | null = null;
  private tries = 0;

  constructor(transports: readonly Transport[]) {
    this.websocket = transports.includes("websocket");
    this.fallbacks = transports.filter((transport) => transport !== "websocket");
  }

  /** Whether there is any way at all. */
  get none(): boolean {
    return !this.websocket && !this.fallbacks.length;
  }

  /** Whether this attempt is a first try of the WebSocket, with another way to go should it be blocked. */
  get probing(): boolean {
    return this.websocket && this.fallbacks.length > 0 && this.proven === null;
  }

  /** The way of the next attempt: WebSocket first; what has worked is given two tries more before the other has one. */
  next(): Way {
    if (!this.websocket) return "sockjs";
    if (!this.fallbacks.length) return "websocket";
    const first = this.proven ?? "websocket";
    const other = first === "websocket" ? "sockjs" : "websocket";
    const turn = this.proven === null ? this.tries : this.tries - 1;
    this.tries++;
    return turn > 0 && turn % 2 === 1 ? other : first;
  }

  /** A connection this way has been greeted. */
  worked(way: Way): void {
    this.proven = way;
    this.tries = 0;
  }
}
