// Numbered messages (FACTS S6), as workers/relay/robust.py has them.
import { ProtocolError } from "./errors.ts";
import { size } from "./sockjs.ts";

export type Numbered =
  { kind: "data"; number: number; payload: string } | { kind: "ack"; next: number } | { kind: "continue"; next: number };

const DATA = /^([0-9A-F]{1,12})#/;
const WORD = /^(ACK|CONTINUE) ([0-9A-F]{1,12})$/;
const NUMBER = /^[0-9A-F]{1,12}$/;

/** A number as it travels. */
export function hexadecimal(number: number): string {
  return number.toString(16).toUpperCase();
}

export function parseNumber(text: unknown): number {
  if (typeof text !== "string" || !NUMBER.test(text)) throw new ProtocolError("not a message number");
  return parseInt(text, 16);
}

export function parse(text: string): Numbered {
  const data = DATA.exec(text);
  if (data) return { kind: "data", number: parseInt(data[1]!, 16), payload: text.slice(data[0].length) };
  const word = WORD.exec(text);
  if (word) return { kind: word[1] === "ACK" ? "ack" : "continue", next: parseInt(word[2]!, 16) };
  throw new ProtocolError(`not a numbered message: ${text.slice(0, 40)}`);
}

interface Entry {
  payload: string;
  size: number;
}

/** What this end sends: the messages that the peer has not acknowledged, and how far they were transmitted. */
export class Outgoing {
  private entries: (Entry | undefined)[] = [];
  private start = 0; // of the entries in use; the array is cut now and then, not at each acknowledgement
  acknowledged = 0;
  next = 0;
  cursor = 0;
  bytes = 0;
  /** What was transmitted and not acknowledged. */
  ahead = 0;

  send(payload: string, bytes: number): void {
    this.entries.push({ payload, size: bytes });
    this.next++;
    this.bytes += bytes;
  }

  peek(): Entry | undefined {
    return this.cursor < this.next ? this.at(this.cursor) : undefined;
  }

  advance(): void {
    this.ahead += this.at(this.cursor)!.size;
    this.cursor++;
  }

  /** The peer has everything before `following`. True if that is news. */
  acknowledge(following: number): boolean {
    if (following > this.next) throw new ProtocolError("the server acknowledges what was never sent");
    if (following <= this.acknowledged) return false;
    while (this.acknowledged < following) {
      const entry = this.at(this.acknowledged)!;
      this.bytes -= entry.size;
      if (this.acknowledged < this.cursor) this.ahead -= entry.size;
      this.entries[this.start++] = undefined;
      this.acknowledged++;
    }
    this.cursor = Math.max(this.cursor, this.acknowledged);
    if (this.start > 1024 && this.start * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.start);
      this.start = 0;
    }
    return true;
  }

  /** Transmit again from `following`. */
  resume(following: number): void {
    if (following < this.acknowledged) throw new ProtocolError("the server asks for what it has acknowledged");
    this.acknowledge(following);
    this.cursor = following;
    this.ahead = 0;
  }

  private at(number: number): Entry | undefined {
    return this.entries[this.start + number - this.acknowledged];
  }
}

/** What this end receives: the next number expected, and what came before its turn. */
export class Incoming {
  private early = new Map<number, string>();
  private earlyBytes = 0;
  next = 0;
  gapSince: number | null = null;
  unacknowledgedSince: number | null = null;
  unacknowledgedBytes = 0;

  constructor(private limit: number) {}

  /** The payloads that are now in turn. */
  receive(number: number, payload: string, now: number): string[] {
    if (number < this.next || this.early.has(number)) {
      this.unacknowledgedSince ??= now;
      return [];
    }
    if (number > this.next) {
      this.earlyBytes += size(payload);
      if (this.earlyBytes > this.limit) throw new ProtocolError("too much waits for a missing message");
      this.early.set(number, payload);
      this.gapSince ??= now;
      return [];
    }
    const ready = [payload];
    this.next++;
    this.unacknowledgedBytes += size(payload);
    for (let early = this.early.get(this.next); early !== undefined; early = this.early.get(this.next)) {
      this.early.delete(this.next);
      const bytes = size(early);
      this.earlyBytes -= bytes;
      this.unacknowledgedBytes += bytes;
      ready.push(early);
      this.next++;
    }
    this.gapSince = this.early.size ? now : null;
    this.unacknowledgedSince ??= now;
    return ready;
  }

  /** The number to put into an ACK that is about to be sent. */
  acknowledging(): number {
    this.unacknowledgedSince = null;
    this.unacknowledgedBytes = 0;
    return this.next;
  }
}
