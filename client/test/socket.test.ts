import assert from "node:assert/strict";
import { test } from "node:test";
import { socketUrl } from "../src/config.ts";
import { install, type Shiny } from "../src/install.ts";
import { TRANSPORTS } from "../src/routes.ts";
import { SheenSocket } from "../src/socket.ts";
import { config, FakeNotice, FakePage, turn } from "./fakes.ts";

globalThis.MessageEvent ??= class extends Event {
  data: unknown;
  constructor(type: string, init: { data: unknown }) {
    super(type);
    this.data = init.data;
  }
} as unknown as typeof MessageEvent;

interface Played {
  page: FakePage;
  notice: FakeNotice;
  socket: SheenSocket;
  log: string[];
}

function play(settings = {}): Played {
  const page = new FakePage();
  const notice = new FakeNotice();
  const given = config();
  Object.assign(given.settings, settings);
  const socket = new SheenSocket(given, page, notice);
  const log: string[] = [];
  socket.onopen = () => {
    log.push("open");
    socket.send("init");
  };
  socket.onmessage = (event) => log.push(`message ${String(event.data)}`);
  socket.onclose = (event) => log.push(`close ${event.code}`);
  return { page, notice, socket, log };
}

/** Connected by WebSocket, which is the only way unless the settings say otherwise. */
async function connected(settings = {}): Promise<Played> {
  const played = play({ disabled: TRANSPORTS.filter((name) => name !== "websocket"), ...settings });
  played.page.last.open();
  played.page.last.say("o");
  await turn();
  return played;
}

test("the ticket is not in the address, and the client speaks first", () => {
  const { page } = play();
  const socket = page.last;
  assert.match(socket.url, /^wss:\/\/apps\.example\.com\/socket\?n=[0-9A-Za-z]{18}$/);
  assert.deepEqual(socket.protocols, ["sheen", "ticket.t1"]);
  socket.open();
  const hello = JSON.parse(socket.sent[0]!) as Record<string, unknown>;
  assert.equal(hello["id"], socket.url.split("=")[1]);
  assert.deepEqual({ ...hello, id: 0 }, { sheen: 1, id: 0, resume: false, attempt: 1, next: "0" });
});

test("the channel's opening and shiny's first message share a frame", async () => {
  const { page, socket, log } = await connected();
  assert.equal(page.last.sent[1], '["0#0|o|","1#0|m|init"]');
  assert.equal(socket.readyState, 1);
  page.last.say('a["0#0|m|hi","ACK 2"]');
  assert.deepEqual(log, ["open", "message hi"]);
});

test("a cut connection is resumed, unseen by shiny", async () => {
  const { page, socket, log, notice } = await connected();
  page.last.say('a["0#0|m|1","SHEEN {\\"ticket\\":\\"t2\\"}"]');
  page.last.cut();
  socket.send("while cut off");
  await page.pass(0.25);
  assert.equal(page.sockets.length, 2);
  assert.match(page.last.url, /\?o=/);
  assert.equal(page.last.protocols[1], "ticket.t2");
  page.last.open();
  assert.equal((JSON.parse(page.last.sent[0]!) as { next: string }).next, "1");
  page.last.say("o");
  page.last.say('a["CONTINUE 1","1#0|m|2"]');
  await turn();
  assert.equal(page.last.sent[1], '["1#0|m|init","2#0|m|while cut off","ACK 2"]');
  assert.deepEqual(log, ["open", "message 1", "message 2"]);
  assert.ok(notice.log.includes("restored"));
});

test("API Gateway's error in answer to a frame leads to a new connection", async () => {
  const { page } = await connected();
  page.last.say('{"message":"Internal server error","connectionId":"x","requestId":"y"}');
  assert.equal(page.last.readyState, 3);
  await page.pass(0.3);
  assert.equal(page.sockets.length, 2);
});

test("attempts back off, and Reconnect now does not wait", async () => {
  const { page, notice } = await connected();
  const times: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    page.last.cut();
    const count = page.sockets.length;
    const from = page.time;
    while (page.sockets.length === count && page.time < from + 60_000) await page.pass(0.1);
    times.push(Math.round((page.time - from) / 100) / 10);
  }
  assert.deepEqual(times, [0.2, 1, 2, 3]);
  page.last.cut();
  notice.reconnectNow();
  assert.equal(page.sockets.length, 6);
});

test("when the server has given the session up, the visitor is told", async () => {
  const { page, notice, log, socket } = await connected();
  for (let attempt = 0; attempt < 20 && socket.readyState === 1; attempt++) {
    page.last.cut();
    await page.pass(10);
  }
  assert.deepEqual(log, ["open", "close 4705"]);
  assert.match(notice.log.at(-1)!, /^ended 4705 The connection was lost/);
  assert.equal(socket.allowReconnect, true);
});

test("an ended session closes the socket and says why", async () => {
  const { page, notice, log, socket } = await connected();
  page.last.say('c[4503,"The app stopped."]');
  assert.deepEqual(log, ["open", "close 4503"]);
  assert.equal(notice.log.at(-1), "ended 4503 The app stopped.");
  assert.equal(socket.allowReconnect, false);
  await page.pass(100);
  assert.equal(page.sockets.length, 1);
});

test("no dialog of ours when shiny.js starts a new session by itself", async () => {
  const { page, notice } = await connected();
  page.restart = true;
  page.last.say('c[4702,"Shutting down."]');
  assert.ok(!notice.log.some((line) => line.startsWith("ended")));
});

test("a page whose session is over before it began gets a session of its own", async () => {
  const { page, log } = play();
  page.fresh.push({ ...config(), session: "s2", ticket: "new" });
  page.last.open();
  page.last.say('c[4705,"In another tab."]');
  await turn();
  assert.equal(page.sockets.length, 2);
  assert.equal(page.last.protocols[1], "ticket.new");
  page.last.open();
  page.last.say("o");
  assert.deepEqual(log, ["open"]);
});

test("an idle connection is kept alive, and one that does not answer is left", async () => {
  const { page } = await connected({ heartbeatSeconds: 1000 });
  page.last.say('a["ACK 2"]');
  await page.pass(242);
  assert.match(page.last.sent.at(-1)!, /ping/);
  page.last.say('a["SHEEN {\\"pong\\":\\"2\\"}"]');
  await page.pass(200);
  assert.equal(page.sockets.length, 1);
  await page.pass(60);
  assert.equal(page.sockets.length, 2);
});

test("a page that only listens shows that it is there", async () => {
  const { page } = await connected({ heartbeatSeconds: 5, aliveSeconds: 60 });
  page.last.say('a["ACK 2"]');
  const before = page.last.sent.length;
  for (let second = 0; second < 55; second += 5) {
    await page.pass(5);
    page.last.say("h");
  }
  assert.equal(page.last.sent.length, before);
  await page.pass(7);
  assert.match(page.last.sent.at(-1)!, /ping/);
});

test("a connection is renewed before two hours, without a gap", async () => {
  const { page, log } = await connected({ keepaliveSeconds: 1e6, heartbeatSeconds: 1e6, refreshSeconds: 100 });
  page.last.say('a["ACK 2"]');
  const old = page.last;
  await page.pass(102);
  const fresh = page.last;
  assert.notEqual(fresh, old);
  old.say('a["0#0|m|old"]');
  fresh.open();
  old.say('a["1#0|m|still"]');
  assert.equal(old.readyState, 1);
  assert.equal((JSON.parse(fresh.sent[0]!) as { next: string }).next, "1");
  fresh.say("o");
  fresh.say('a["CONTINUE 2","1#0|m|still","2#0|m|new"]');
  assert.equal(old.readyState, 3);
  assert.deepEqual(log, ["open", "message old", "message still", "message new"]);
});

test("leaving the page tells R at once", async () => {
  const { page, socket } = await connected();
  socket.leave();
  assert.match(page.last.sent.at(-1)!, /2#0\|c\|/);
  assert.equal(page.last.readyState, 3);
});

test("garbage from the server ends the session clearly", async () => {
  const error = console.error;
  console.error = () => undefined;
  const { page, log } = await connected();
  page.last.say("garbage");
  console.error = error;
  assert.deepEqual(log, ["open", "close 4704"]);
});

test("shiny.js gets our socket whether it is there already or comes later, and finds no Shiny of ours", () => {
  const make = () => "socket";
  const before: { Shiny?: Shiny } = { Shiny: {} };
  install(before, make);
  assert.equal(before.Shiny?.createSocket, make);
  const after: { Shiny?: Shiny } = {};
  install(after, make);
  assert.equal(after.Shiny, undefined);
  const shiny: Shiny = {};
  after.Shiny = shiny;
  assert.equal(after.Shiny, shiny);
  assert.equal(shiny.createSocket, make);
});

test("a path becomes an address on the page's host", () => {
  assert.equal(socketUrl(config(), { protocol: "http:", host: "h:1" }), "ws://h:1/socket");
  assert.equal(socketUrl({ ...config(), websocketUrl: "wss://x/y" }, { protocol: "http:", host: "h" }), "wss://x/y");
});

test("a connection on which the server falls silent is left", async () => {
  const { page } = await connected();
  page.last.say('a["ACK 2"]');
  for (let beat = 0; beat < 4; beat++) {
    await page.pass(25);
    page.last.say("h");
  }
  assert.equal(page.last.sent.length, 2);
  await page.pass(48);
  assert.match(page.sockets[0]!.sent.at(-1)!, /ping/);
  assert.equal(page.sockets.length, 2);
});

test("an app without reconnect ends its session with the connection", async () => {
  const { page, log, notice } = await connected({ reconnect: false });
  page.last.cut();
  await page.pass(30);
  assert.equal(page.sockets.length, 1);
  assert.deepEqual(log, ["open", "close 4705"]);
  assert.match(notice.log.at(-1)!, /does not resume/);
});
