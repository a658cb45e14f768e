import assert from "node:assert/strict";
import { test } from "node:test";
import { allowed, Routes, TRANSPORTS } from "../src/routes.ts";
import { SheenSocket } from "../src/socket.ts";
import { asFrame, keepsCookies } from "../src/wire.ts";
import { config, FakeNotice, FakePage, turn } from "./fakes.ts";

function play(settings = {}, chosen: string[] | null = null): { page: FakePage; socket: SheenSocket; log: string[]; notice: FakeNotice } {
  const page = new FakePage();
  page.chosen = chosen;
  const given = config();
  Object.assign(given.settings, settings);
  const notice = new FakeNotice();
  const socket = new SheenSocket(given, page, notice);
  const log: string[] = [];
  socket.onopen = () => {
    log.push("open");
    socket.send("init");
  };
  socket.onmessage = (event) => log.push(`message ${String(event.data)}`);
  socket.onclose = (event) => log.push(`close ${event.code}`);
  return { page, socket, log, notice };
}

const HTTP = TRANSPORTS.filter((name) => name !== "websocket");

async function polling(settings = {}): Promise<ReturnType<typeof play>> {
  const played = play({ disabled: ["websocket"], ...settings });
  played.page.fallback.open();
  await turn();
  return played;
}

test("WebSocket is tried first; when it is refused SockJS goes on in a moment", async () => {
  const { page, socket, log } = play();
  assert.equal(page.sockets.length, 1);
  page.last.cut();
  await page.pass(0.5);
  assert.equal(page.fallbacks.length, 1);
  assert.deepEqual(page.fallback.transports, HTTP);
  page.fallback.open();
  await turn();
  assert.deepEqual(log, ["open"]);
  assert.deepEqual(page.fallback.sent, ["0#0|o|", "1#0|m|init"]);
  assert.equal(socket.transport, "xhr-polling");
});

test("a WebSocket that hangs, or says nothing, is given a few seconds", async () => {
  for (const opens of [false, true]) {
    const { page } = play();
    if (opens) page.last.open();
    await page.pass(5);
    assert.equal(page.fallbacks.length, 0);
    await page.pass(3);
    assert.equal(page.fallbacks.length, 1);
    assert.equal(page.sockets[0]!.readyState, 3);
    assert.match(page.fallback.url, opens ? /h=2\.0/ : /h=1\.0/);
  }
});

test("the URL is the hello, and the ticket is in a cookie of this page's own", async () => {
  const { page } = await polling();
  const [, id] = /^https:\/\/apps\.example\.com\/hello\/__sockjs__\/n=([0-9A-Za-z]{18})\/h=1\.0\/w=v1\.0\.1$/.exec(page.fallback.url)!;
  assert.deepEqual(page.cookies, [`sheen-ticket=t1; path=/hello/__sockjs__/n=${id}; max-age=600; SameSite=None; Secure; Partitioned`]);
});

test("a cut SockJS connection is resumed from where it was", async () => {
  const { page, socket, log } = await polling();
  page.fallback.say("0#0|m|1", "ACK 1");
  page.fallback.cut();
  socket.send("while cut off");
  await page.pass(0.5);
  assert.equal(page.fallbacks.length, 2);
  assert.match(page.fallback.url, /\/o=[0-9A-Za-z]{18}\/h=2\.1\/w=/);
  page.fallback.open();
  await turn();
  assert.deepEqual(page.fallback.sent, []);
  page.fallback.say("CONTINUE 1", "1#0|m|2");
  await turn();
  assert.deepEqual(page.fallback.sent, ["1#0|m|init", "2#0|m|while cut off", "ACK 2"]);
  assert.deepEqual(log, ["open", "message 1", "message 2"]);
  assert.equal(page.cookies.length, 1);
});

test("the session's end is told over SockJS, too; its own reasons mean a lost connection", async () => {
  const { page, log } = await polling();
  page.fallback.cut(2010, "Another connection still open");
  await page.pass(0.5);
  page.fallback.open();
  page.fallback.cut(4503, "The app stopped.");
  assert.deepEqual(log, ["open", "close 4503"]);
});

test("a page that goes away tells R by a beacon", async () => {
  const { page, socket } = await polling();
  page.fallback.say("ACK 2");
  socket.leave();
  const [[url, body]] = page.beacons as [[string, string]];
  assert.equal(url, `${page.fallback.url}/000/abc/xhr_send`);
  assert.match((JSON.parse(body) as string[])[0]!, /^2#0\|c\|/);
});

test("polling is neither pinged for idleness nor renewed by age", async () => {
  const { page } = await polling();
  page.fallback.say("ACK 2");
  for (let beat = 0; beat < 400; beat++) {
    await page.pass(20);
    page.fallback.onheartbeat?.();
  }
  assert.equal(page.fallbacks.length, 1);
  assert.equal(page.fallback.sent.length, 2);
});

test("what worked before is tried twice more, then the other way has its turns", () => {
  const routes = new Routes([...TRANSPORTS]);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => routes.next()),
    ["websocket", "sockjs", "websocket", "sockjs"],
  );
  routes.worked("sockjs");
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => routes.next()),
    ["sockjs", "sockjs", "websocket", "sockjs", "websocket"],
  );
  routes.worked("websocket");
  assert.deepEqual(
    [1, 2, 3].map(() => routes.next()),
    ["websocket", "websocket", "sockjs"],
  );
});

test("the app's settings and the visitor's choice both hold", () => {
  assert.deepEqual(allowed(["websocket", "xhr-streaming"], ["websocket", "jsonp-polling"]), ["jsonp-polling"]);
  assert.deepEqual(allowed([], ["no-such"]), [...TRANSPORTS]);
  assert.deepEqual(
    allowed(["jsonp-polling"], ["jsonp-polling"]),
    TRANSPORTS.filter((name) => name !== "jsonp-polling"),
  );
});

test("settings that leave no way say so", async () => {
  const { page, log, notice } = play({ disabled: [...TRANSPORTS] });
  await page.pass(1);
  assert.equal(page.sockets.length + page.fallbacks.length, 0);
  assert.deepEqual(log, ["close 4509"]);
  assert.match(notice.log.at(-1)!, /disable_protocols/);
});

test("a page whose browser keeps no cookies says so in its hello", () => {
  const hello = { id: "x", resume: false, attempt: 1, next: 0 };
  assert.equal((JSON.parse(asFrame(hello, false)) as { cookies: unknown }).cookies, false);
  assert.ok(!("cookies" in JSON.parse(asFrame(hello))));
});

test("whether cookies are kept is tried with one that goes again", () => {
  let jar = "";
  const said: string[] = [];
  const keeps = {
    get cookie() {
      return `other=1; ${jar}`;
    },
    set cookie(text: string) {
      said.push(text);
      jar = text.includes("max-age=0") ? "" : text.split(";")[0]!;
    },
  };
  assert.ok(keepsCookies(keeps, "/hello", true));
  assert.equal(jar, "");
  assert.ok(said.every((text) => text.includes("path=/hello/; ") && text.endsWith("SameSite=None; Secure; Partitioned")));
  const blocked = { get cookie() { return ""; }, set cookie(_: string) {} }; // prettier-ignore
  assert.ok(!keepsCookies(blocked, "/hello", false));
  const sandboxed = { get cookie(): string { throw new Error("sandboxed"); }, set cookie(_: string) { throw new Error("sandboxed"); } }; // prettier-ignore
  assert.ok(!keepsCookies(sandboxed, "/hello", false));
});
