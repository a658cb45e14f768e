import assert from "node:assert/strict";
import { test } from "node:test";
import { interceptUploads, targetOf, type Scope } from "../src/intercept.ts";
import { THRESHOLD, Upload, UploadFailed, type Network, type Said } from "../src/upload.ts";

const MB = 1024 * 1024;
const TARGET = { path: "session/00c0ffee/upload/job?w=v1.0.1", worker: "v1.0.1" };
const DONE = { state: "done", status: 200, statusText: "OK", headers: [["Content-Type", "text/plain"]], body: "OK" };

/** The app and S3. What is in `answers` is said first, by the end of the URL. */
class FakeNetwork implements Network {
  asked: string[] = [];
  bodies: unknown[] = [];
  parts = new Map<number, number>();
  putting = 0;
  most = 0;
  answers: Record<string, (Said | null)[]> = {};
  refusals: Record<number, (number | null)[]> = {};
  waits = 0;
  hold: Promise<void> = Promise.resolve();
  private generation = 0;

  constructor(
    private size: number,
    private partSize = 8 * MB,
  ) {}

  async ask(url: string, body: unknown): Promise<Said> {
    const path = url.replace("/hello/__sheen__/uploads", "").replace("?w=v1.0.1", "");
    this.asked.push(path);
    this.bodies.push(body);
    const planned = this.answers[path]?.shift();
    if (planned === null) throw new TypeError("Failed to fetch");
    if (planned) return planned;
    if (path === "") {
      return { status: 201, document: { id: "u1", partSize: this.partSize, parts: Math.ceil(this.size / this.partSize) } };
    }
    if (path.endsWith("/links")) {
      this.generation++;
      const { parts } = body as { parts: number[] };
      return { status: 200, document: { links: Object.fromEntries(parts.map((number) => [number, `${number}/${this.generation}`])) } };
    }
    if (path.endsWith("/abort")) return { status: 204, document: null };
    return { status: 200, document: DONE };
  }

  async put(url: string, part: Blob, progress: (bytes: number) => void, signal: AbortSignal): Promise<number> {
    const number = Number(url.split("/")[0]);
    this.most = Math.max(this.most, ++this.putting);
    progress(part.size / 2);
    await this.hold;
    await new Promise((resolve) => setImmediate(resolve));
    this.putting--;
    if (signal.aborted) throw new Error("aborted");
    const refusal = this.refusals[number]?.shift();
    if (refusal === null) throw new Error("no answer");
    if (refusal) return refusal;
    this.parts.set(number, part.size);
    return 200;
  }

  async wait(): Promise<void> {
    this.waits++;
  }
  random = () => 0.5;
}

function upload(network: FakeNetwork, size: number) {
  const seen: number[] = [];
  const file = { size, slice: (start: number, end: number) => ({ size: end - start }) } as unknown as Blob;
  return {
    seen,
    upload: new Upload(
      file,
      TARGET,
      "/hello",
      () => "t1",
      network,
      (bytes) => seen.push(bytes),
    ),
  };
}

test("a file goes in parts, four at once, and R's answer comes back", async () => {
  const network = new FakeNetwork(100 * MB);
  const { upload: it, seen } = upload(network, 100 * MB);
  assert.deepEqual(await it.run(), { status: 200, statusText: "OK", headers: [["Content-Type", "text/plain"]], body: "OK" });
  assert.equal(network.most, 4);
  assert.equal(
    [...network.parts.values()].reduce((sum, size) => sum + size),
    100 * MB,
  );
  assert.deepEqual(network.bodies[0], { ticket: "t1", target: TARGET.path, size: 100 * MB, type: "application/octet-stream" });
  assert.deepEqual(network.asked, ["", "/u1/links", "/u1/complete"]);
  assert.ok(seen.every((bytes, index) => index === 0 || bytes >= seen[index - 1]! || bytes > 0));
  assert.equal(Math.max(...seen.slice(0, -1)), Math.floor(100 * MB * 0.9));
  assert.equal(seen.at(-1), 100 * MB);
});

test("links are asked for as they are needed, and anew when they are too old", async () => {
  const network = new FakeNetwork(40 * 8 * MB);
  network.refusals = { 20: [403] }; // asked for again with those of parts 33 to 40
  await upload(network, 40 * 8 * MB).upload.run();
  assert.equal(network.parts.size, 40);
  assert.equal(network.asked.filter((each) => each.endsWith("/links")).length, 3);
});

test("a part that S3 or the network refuses is sent again", async () => {
  const network = new FakeNetwork(20 * MB);
  network.refusals = { 1: [500, null, 503], 3: [null] };
  await upload(network, 20 * MB).upload.run();
  assert.equal(network.parts.size, 3);
  assert.equal(network.waits, 4);
});

test("a part that never gets through ends the upload, and nothing stays", async () => {
  const network = new FakeNetwork(20 * MB);
  network.refusals = { 2: Array(20).fill(500) };
  await assert.rejects(upload(network, 20 * MB).upload.run(), new UploadFailed("part 2 of the file could not be sent (500)", 500));
  assert.equal(network.asked.at(-1), "/u1/abort");
});

test("what the app refuses is told in its words", async () => {
  const network = new FakeNetwork(20 * MB);
  network.answers[""] = [{ status: 404, document: { message: "the page's session is over; load the page again" } }];
  await assert.rejects(upload(network, 20 * MB).upload.run(), new UploadFailed("the page's session is over; load the page again", 404));
});

test("the app's silence and the gateway's pages are waited out", async () => {
  const network = new FakeNetwork(20 * MB);
  network.answers["/u1/complete"] = [null, { status: 504, document: null }, { status: 200, document: { state: "handing", given: 5 } }];
  network.answers["/u1/wait"] = [{ status: 200, document: { state: "handing", given: 9 * MB } }, null];
  const { upload: it, seen } = upload(network, 20 * MB);
  assert.equal((await it.run()).body, "OK");
  assert.ok(seen.includes(Math.floor(20 * MB * 0.9 + 9 * MB * 0.1)));
});

test("what could not be given to R is told", async () => {
  const network = new FakeNetwork(20 * MB);
  network.answers["/u1/complete"] = [{ status: 200, document: { state: "failed", message: "the app did not take the file" } }];
  await assert.rejects(upload(network, 20 * MB).upload.run(), new UploadFailed("the app did not take the file", 502));
});

test("giving up stops what is on its way and deletes what has arrived", async () => {
  const network = new FakeNetwork(100 * MB);
  let go = () => undefined as void;
  network.hold = new Promise((resolve) => (go = resolve));
  const { upload: it } = upload(network, 100 * MB);
  const ended = it.run();
  await new Promise((resolve) => setTimeout(resolve, 5));
  it.abort();
  go();
  await assert.rejects(ended, new UploadFailed("the upload was given up", 0));
  assert.equal(network.parts.size, 0);
  assert.deepEqual(
    network.asked.filter((each) => each.endsWith("/abort")),
    ["/u1/abort"],
  );
});

class FakeXHR extends EventTarget {
  upload = new EventTarget();
  sent: unknown[] = [];
  open(..._all: unknown[]): void {}
  send(body?: unknown): void {
    this.sent.push(body);
  }
  abort(): void {}
}

function scope(): Scope & { XMLHttpRequest: typeof FakeXHR } {
  class OwnXHR extends FakeXHR {
    override open(..._all: unknown[]): void {}
    override send(body?: unknown): void {
      this.sent.push(body);
    }
  }
  return {
    XMLHttpRequest: OwnXHR as unknown as typeof FakeXHR & { prototype: XMLHttpRequest },
    location: { href: "https://x.org/hello/", origin: "https://x.org" },
    document: { baseURI: "https://x.org/hello/" },
  } as never;
}

const FILE = new Blob([new Uint8Array(THRESHOLD + 1)]);
const ended = (xhr: FakeXHR) => new Promise((resolve) => xhr.addEventListener("loadend", resolve));

test("shiny's request for a large file is answered with R's answer and its progress moves", async () => {
  const here = scope();
  const network = new FakeNetwork(FILE.size);
  interceptUploads(here as never, "/hello", () => "t1", network);
  const xhr = new here.XMLHttpRequest() as FakeXHR & XMLHttpRequest;
  const told: string[] = [];
  const progress: number[] = [];
  for (const type of ["readystatechange", "load", "loadend"]) xhr.addEventListener(type, () => told.push(`${type} ${xhr.readyState}`));
  xhr.upload.addEventListener("progress", (event) => progress.push((event as ProgressEvent).loaded / (event as ProgressEvent).total));
  xhr.open("POST", TARGET.path);
  xhr.send(FILE);
  await ended(xhr);
  assert.deepEqual(told, ["readystatechange 2", "readystatechange 3", "readystatechange 4", "load 4", "loadend 4"]);
  assert.deepEqual([xhr.status, xhr.statusText, xhr.responseText], [200, "OK", "OK"]);
  assert.equal(xhr.getResponseHeader("content-type"), "text/plain");
  assert.equal(xhr.getAllResponseHeaders(), "content-type: text/plain\r\n");
  assert.ok(progress.length > 2 && progress.at(-1) === 1);
  assert.deepEqual(xhr.sent, []);
  xhr.open("GET", "elsewhere");
  xhr.send();
  assert.equal(xhr.sent.length, 1);
  assert.equal(Object.hasOwn(xhr, "status"), false);
});

test("a failure is an answer that says what happened", async () => {
  const here = scope();
  const network = new FakeNetwork(FILE.size);
  network.answers[""] = [{ status: 400, document: { message: "no" } }];
  interceptUploads(here as never, "/hello", () => "t1", network);
  const xhr = new here.XMLHttpRequest() as FakeXHR & XMLHttpRequest;
  xhr.open("POST", TARGET.path);
  xhr.send(FILE);
  await ended(xhr);
  assert.deepEqual([xhr.status, xhr.responseText], [400, "Upload failed: no"]);
});

test("an aborted request says so and leaves nothing", async () => {
  const here = scope();
  const network = new FakeNetwork(FILE.size);
  network.hold = new Promise((resolve) => setTimeout(resolve, 20));
  interceptUploads(here as never, "/hello", () => "t1", network);
  const xhr = new here.XMLHttpRequest() as FakeXHR & XMLHttpRequest;
  const told: string[] = [];
  for (const type of ["abort", "load", "error"]) xhr.addEventListener(type, () => told.push(type));
  xhr.open("POST", TARGET.path);
  xhr.send(FILE);
  await new Promise((resolve) => setTimeout(resolve, 5));
  xhr.abort();
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.deepEqual(told, ["abort"]);
  assert.deepEqual([xhr.readyState, xhr.status], [0, 0]);
  assert.ok(network.asked.includes("/u1/abort"));
});

test("every other request goes its usual way", () => {
  const here = scope();
  interceptUploads(here as never, "/hello", () => "t1", new FakeNetwork(1));
  const small = new Blob([new Uint8Array(THRESHOLD)]);
  for (const [method, url, body] of [
    ["POST", TARGET.path, small],
    ["POST", TARGET.path, "x".repeat(10)],
    ["PUT", TARGET.path, FILE],
    ["POST", "session/00c0ffee/dataobj/x?w=v1.0.1", FILE],
    ["POST", "https://s3.example.com/hello/session/00c0ffee/upload/job?w=1", FILE],
  ] as const) {
    const xhr = new here.XMLHttpRequest() as FakeXHR & XMLHttpRequest;
    xhr.open(method, url);
    xhr.send(body);
    assert.equal(xhr.sent.length, 1, `${method} ${url}`);
  }
});

test("an upload's URL is known wherever the app is", () => {
  const at = (baseURI: string) => ({ location: { href: baseURI, origin: "https://x.org" }, document: { baseURI } });
  assert.deepEqual(targetOf(TARGET.path, "/hello", at("https://x.org/hello/")), TARGET);
  assert.deepEqual(targetOf(TARGET.path, "", at("https://x.org/")), TARGET);
  assert.equal(targetOf(TARGET.path, "/hello", at("https://x.org/other/")), null);
  assert.equal(targetOf("session/00c0ffee/upload/job", "/hello", at("https://x.org/hello/")), null);
  assert.equal(targetOf("http://[", "/hello", at("https://x.org/hello/")), null);
});
