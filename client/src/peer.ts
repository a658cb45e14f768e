// The browser's end of a session, without I/O: workers/relay/session.py is the other end. Time is an argument, in
// milliseconds.
import { split } from "./chunks.ts";
import type { Settings } from "./config.ts";
import { ProtocolError } from "./errors.ts";
import { hexadecimal, Incoming, Outgoing, parse, parseNumber } from "./robust.ts";
import { array, decode, escape, size, type ServerFrame } from "./sockjs.ts";
import { asFrame, type Hello } from "./wire.ts";

export type PeerEvent =
  /** The server has taken this connection. */
  | { kind: "greeted"; first: boolean }
  | { kind: "message"; text: string }
  /** The app closed the socket. The session's own end follows. */
  | { kind: "channelClosed"; code: number; reason: string }
  | { kind: "ticket"; ticket: string }
  | { kind: "ended"; code: number; reason: string };

const CONTROL = "SHEEN ";
const CHANNEL = "0";
const RESEND_AFTER = 3000;
const PAYLOAD = /^([0-9A-Za-z]{1,16})\|([omcp])\|/;

export class Peer {
  private out = new Outgoing();
  private incoming = new Incoming(16 << 20);
  private parts: string[] = [];
  private partBytes = 0;
  private attempt = 0;
  private everGreeted = false;
  private greeted = false;
  private maySend = false;
  private askAgain = false;
  private sayPing = false;
  private askedAt = 0;
  private over = false;

  constructor(
    readonly id: string,
    private settings: Settings,
  ) {}

  /** Whether the server has ever taken a connection: the next one resumes. */
  get resuming(): boolean {
    return this.everGreeted;
  }

  /** Whether something that was sent is not acknowledged. */
  get waiting(): boolean {
    return this.out.cursor > this.out.acknowledged;
  }

  /** A new connection: how it introduces itself. Everything else goes there from now on. */
  introduce(now: number): Hello {
    this.attempt++;
    this.greeted = this.maySend = this.askAgain = this.sayPing = false;
    this.askedAt = now;
    return { id: this.id, resume: this.everGreeted, attempt: this.attempt, next: this.incoming.next };
  }

  /** `introduce`, as a WebSocket's first frame. */
  connect(now: number): string {
    return asFrame(this.introduce(now));
  }

  /** Open the channel to R. */
  open(): void {
    this.queue(`${CHANNEL}|o|`);
  }

  /** A message to R. */
  send(text: string): void {
    const pieces = split(text, this.settings.frameLimit - 128);
    pieces.forEach((piece, index) => this.queue(`${CHANNEL}|${index < pieces.length - 1 ? "p" : "m"}|${piece}`));
  }

  /** Close the channel: R's session ends. */
  close(code: number, reason: string): void {
    this.queue(escape(`${CHANNEL}|c|` + JSON.stringify({ code, reason })));
  }

  /** Ask for a sign of life. */
  ping(): void {
    this.sayPing = true;
  }

  /** A frame from the server, in any order over connections, and any number of times. */
  receive(frame: string, now: number): PeerEvent[] {
    return this.hear(decode(frame), now);
  }

  /** `receive`, for a frame that has been read. */
  hear(frame: ServerFrame, now: number): PeerEvent[] {
    if (this.over) return [];
    const events: PeerEvent[] = [];
    switch (frame.kind) {
      case "open":
        events.push({ kind: "greeted", first: !this.everGreeted });
        this.greeted = this.everGreeted = true;
        // After a first connection the server says first from where to go on.
        if (this.attempt === 1) this.maySend = true;
        break;
      case "messages":
        for (const text of frame.messages) this.message(text, now, events);
        break;
      case "close":
        this.over = true;
        events.push({ kind: "ended", code: frame.code, reason: frame.reason });
        break;
      case "heartbeat":
        break;
    }
    return events;
  }

  /** What is due by time. */
  tick(now: number): void {
    const gap = this.incoming.gapSince;
    if (this.greeted && gap !== null && now - Math.max(gap, this.askedAt) >= RESEND_AFTER) {
      this.askedAt = now;
      this.askAgain = true;
    }
  }

  /** The next frame for the newest connection, if there is one to send. */
  take(now: number): string | null {
    if (!this.greeted || this.over) return null;
    const { frameLimit, windowBytes, windowCount, ackBytes, ackSeconds } = this.settings;
    const elements: string[] = [];
    if (this.askAgain) elements.push(`CONTINUE ${hexadecimal(this.incoming.acknowledging())}`);
    if (this.sayPing) elements.push(escape(CONTROL + JSON.stringify({ ping: hexadecimal(this.incoming.acknowledging()) })));
    this.askAgain = this.sayPing = false;
    let room = frameLimit - 128;
    for (let entry = this.out.peek(); this.maySend && entry; entry = this.out.peek()) {
      const inFlight = this.out.cursor - this.out.acknowledged;
      if (inFlight >= windowCount || (inFlight > 0 && this.out.ahead + entry.size > windowBytes)) break;
      const element = `${hexadecimal(this.out.cursor)}#${entry.payload}`;
      const bytes = entry.size + element.length - entry.payload.length + 3;
      if (bytes > room && elements.length) break;
      room -= bytes;
      elements.push(element);
      this.out.advance();
    }
    const since = this.incoming.unacknowledgedSince;
    if (since !== null && (elements.length || now - since >= ackSeconds * 1000 || this.incoming.unacknowledgedBytes >= ackBytes)) {
      elements.push(`ACK ${hexadecimal(this.incoming.acknowledging())}`);
    }
    return elements.length ? array(elements) : null;
  }

  private queue(payload: string): void {
    this.out.send(payload, size(payload));
  }

  private message(text: string, now: number, events: PeerEvent[]): void {
    if (text.startsWith(CONTROL)) {
      this.control(text.slice(CONTROL.length), events);
      return;
    }
    const message = parse(text);
    switch (message.kind) {
      case "ack":
        this.out.acknowledge(message.next);
        break;
      case "continue":
        // A late one, from before what has been acknowledged since, asks for nothing.
        if (message.next >= this.out.acknowledged) this.out.resume(message.next);
        this.maySend = true;
        break;
      case "data":
        for (const payload of this.incoming.receive(message.number, message.payload, now)) {
          this.payload(payload, events);
        }
    }
  }

  private control(text: string, events: PeerEvent[]): void {
    const value = JSON.parse(text) as { pong?: unknown; ticket?: unknown };
    if (typeof value.ticket === "string") events.push({ kind: "ticket", ticket: value.ticket });
    if (value.pong !== undefined) {
      // What was sent before the ping and is not there was lost.
      const next = parseNumber(value.pong);
      if (!this.out.acknowledge(next) && next === this.out.acknowledged && this.maySend) this.out.resume(next);
    }
  }

  private payload(payload: string, events: PeerEvent[]): void {
    const match = PAYLOAD.exec(payload);
    if (!match) throw new ProtocolError(`not a channel's message: ${payload.slice(0, 40)}`);
    const rest = payload.slice(match[0].length);
    if (match[1] !== CHANNEL) return;
    switch (match[2]) {
      case "p":
        this.partBytes += rest.length;
        if (this.partBytes > this.settings.maxMessage) throw new ProtocolError("a message is too large");
        this.parts.push(rest);
        break;
      case "m":
        if (this.parts.length) {
          this.parts.push(rest);
          events.push({ kind: "message", text: this.parts.join("") });
          this.parts = [];
          this.partBytes = 0;
        } else events.push({ kind: "message", text: rest });
        break;
      case "c": {
        const closing = JSON.parse(rest || "{}") as { code?: number; reason?: string };
        events.push({ kind: "channelClosed", code: closing.code ?? 1000, reason: closing.reason ?? "" });
        break;
      }
    }
  }
}
