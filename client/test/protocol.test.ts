import assert from "node:assert/strict";
import { test } from "node:test";
import { split } from "../src/chunks.ts";
import { DEFAULTS } from "../src/config.ts";
import { ProtocolError } from "../src/errors.ts";
import { Peer } from "../src/peer.ts";
import { Incoming, Outgoing, parse } from "../src/robust.ts";
import { array, decode, escape, size } from "../src/sockjs.ts";

const greeted = (settings = {}): Peer => {
  const peer = new Peer("A", { ...DEFAULTS, ...settings });
  peer.connect(0);
  peer.receive("o", 0);
  return peer;
};

test("sizes are UTF-8's", () => {
  for (const text of ["", "a", "é", "€", "😀", "a\u2028😀é", "\ud800"]) {
    assert.equal(size(text), text === "\ud800" ? 3 : new TextEncoder().encode(text).length);
  }
});

test("frames are read as SockJS has them, and nothing else", () => {
  assert.deepEqual(decode('a["x","y"]'), { kind: "messages", messages: ["x", "y"] });
  assert.deepEqual(decode('c[4705,"why"]'), { kind: "close", code: 4705, reason: "why" });
  for (const frame of ["", "x", "oo", "a", "a[1]", 'a"x"', "c[]", "c[1]", "c{}", "a[", "h1"]) {
    assert.throws(() => decode(frame), ProtocolError);
  }
});

test("numbered messages are upper-case hexadecimal", () => {
  assert.deepEqual(parse("1F#a#b"), { kind: "data", number: 31, payload: "a#b" });
  assert.deepEqual(parse("ACK A"), { kind: "ack", next: 10 });
  assert.deepEqual(parse("CONTINUE 0"), { kind: "continue", next: 0 });
  for (const text of ["", "#", "1f#x", "ACK", "ACK 1 ", "ACK g", "FFFFFFFFFFFFF#"]) {
    assert.throws(() => parse(text), ProtocolError);
  }
});

test("parts fit, split no pair, and make the message again", () => {
  for (const text of ["a".repeat(1000), '"'.repeat(500), "😀".repeat(300), '\u0001é😀"x'.repeat(200), "a😀".repeat(99)]) {
    for (const limit of [12, 13, 50, 333]) {
      const pieces = split(text, limit);
      assert.ok(pieces.every((piece) => size(piece) <= limit));
      const whole = pieces.map((piece) => JSON.parse(`"${piece}"`) as string);
      assert.equal(whole.join(""), text);
      assert.ok(whole.every((piece) => !/[\ud800-\udbff]$/.test(piece)));
    }
  }
});

test("what comes early waits, what comes twice is dropped", () => {
  const incoming = new Incoming(1000);
  assert.deepEqual(incoming.receive(1, "b", 5), []);
  assert.equal(incoming.gapSince, 5);
  assert.deepEqual(incoming.receive(0, "a", 6), ["a", "b"]);
  assert.deepEqual(incoming.receive(0, "a", 7), []);
  assert.equal(incoming.gapSince, null);
  assert.equal(incoming.acknowledging(), 2);
});

test("sending goes back to any message that was not acknowledged", () => {
  const out = new Outgoing();
  for (const payload of ["a", "b", "c"]) out.send(payload, 1);
  for (let index = 0; index < 3; index++) out.advance();
  assert.equal(out.ahead, 3);
  out.acknowledge(1);
  out.resume(2);
  assert.equal(out.peek()!.payload, "c");
  assert.equal(out.bytes, 1);
  assert.equal(out.ahead, 0);
  assert.throws(() => out.resume(0), ProtocolError);
  assert.throws(() => out.acknowledge(9), ProtocolError);
});

test("the hello is what the agent reads", () => {
  const peer = new Peer("Zx9", DEFAULTS);
  assert.equal(peer.connect(0), '{"sheen":1,"id":"Zx9","resume":false,"attempt":1,"next":"0"}');
  peer.receive("o", 0);
  peer.receive('a["0#0|m|x"]', 0);
  assert.equal(peer.connect(1), '{"sheen":1,"id":"Zx9","resume":true,"attempt":2,"next":"1"}');
});

test("nothing is sent before the server has greeted, nor after a resume before it says from where", () => {
  const peer = new Peer("A", DEFAULTS);
  peer.connect(0);
  peer.open();
  assert.equal(peer.take(0), null);
  peer.receive("o", 0);
  assert.equal(peer.take(0), '["0#0|o|"]');
  peer.send("x");
  peer.send("y");
  peer.connect(1);
  peer.receive("o", 1);
  assert.equal(peer.take(1), null);
  peer.receive('a["CONTINUE 1"]', 1);
  assert.equal(peer.take(1), '["1#0|m|x","2#0|m|y"]');
});

test("a frame never exceeds the limit, whatever the message", () => {
  const peer = greeted({ frameLimit: 1000, windowBytes: 1e9, windowCount: 1e9 });
  for (const text of ["é".repeat(5000), "\u0000".repeat(999), "x", '"'.repeat(3000), ...Array<string>(300).fill("y")]) peer.send(text);
  let frames = 0;
  for (let frame = peer.take(0); frame; frame = peer.take(0)) {
    assert.ok(new TextEncoder().encode(frame).length <= 1000);
    JSON.parse(frame);
    frames++;
  }
  assert.ok(frames > 20);
});

test("the window holds until an acknowledgement opens it", () => {
  const peer = greeted({ windowCount: 4 });
  for (let index = 0; index < 10; index++) peer.send("x");
  const first = JSON.parse(peer.take(0)!) as string[];
  assert.equal(first.length, 4);
  assert.equal(peer.take(0), null);
  peer.receive('a["ACK 3"]', 0);
  assert.equal((JSON.parse(peer.take(0)!) as string[]).length, 3);
});

test("an acknowledgement travels along, or alone when it is late or much", () => {
  const peer = greeted();
  peer.receive('a["0#0|m|x"]', 0);
  assert.equal(peer.take(1000), null);
  peer.send("y");
  assert.equal(peer.take(1000), '["0#0|m|y","ACK 1"]');
  peer.receive('a["1#0|m|x"]', 2000);
  assert.equal(peer.take(21_000), null);
  assert.equal(peer.take(22_000), '["ACK 2"]');
  peer.receive(array([`2#0|m|${escape("z".repeat(70_000))}`]).replace("[", "a["), 23_000);
  assert.equal(peer.take(23_000), '["ACK 3"]');
});

test("parts become one message", () => {
  const peer = greeted();
  assert.deepEqual(peer.receive('a["0#0|p|ab","1#0|p|c"]', 0), []);
  assert.deepEqual(peer.receive('a["2#0|m|d"]', 0), [{ kind: "message", text: "abcd" }]);
});

test("a ping's answer shows what was lost at the end", () => {
  const peer = greeted();
  peer.send("x");
  peer.take(0);
  peer.ping();
  assert.equal(peer.take(1), '["SHEEN {\\"ping\\":\\"0\\"}"]');
  peer.receive('a["SHEEN {\\"pong\\":\\"0\\"}"]', 2);
  assert.equal(peer.take(2), '["0#0|m|x"]');
});

test("an open gap is asked for", () => {
  const peer = greeted();
  peer.receive('a["1#0|m|x"]', 0);
  peer.tick(2000);
  assert.equal(peer.take(2000), null);
  peer.tick(3000);
  assert.equal(peer.take(3000), '["CONTINUE 0"]');
});

test("what was said before the end is delivered, and nothing after it", () => {
  const peer = greeted();
  const events = [...peer.receive('a["0#0|m|last"]', 0), ...peer.receive('c[4503,"why"]', 0), ...peer.receive("o", 0)];
  assert.deepEqual(events, [
    { kind: "message", text: "last" },
    { kind: "ended", code: 4503, reason: "why" },
  ]);
  assert.equal(peer.take(0), null);
});
