import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyTarget, interceptBodies, type BodyScope } from "../src/bodies.ts";
import { THRESHOLD, type Network, type Said } from "../src/upload.ts";

const LARGE = "x".repeat(THRESHOLD + 1);

class FakeXHR extends EventTarget {
  upload = new EventTarget();
  responseType = "";
  sent: unknown[] = [];
  open(..._all: unknown[]): void {}
  setRequestHeader(): void {}
  send(body?: unknown): void {
    this.sent.push(body);
  }
  abort(): void {}
}

/** A window, what it sent by itself, and what the app was asked for large bodies; `answer` is R's, or the refusal. */
function page(answer: Record<string, unknown>, refusal?: Said) {
  const usual: unknown[] = [];
  const wishes: Record<string, unknown>[] = [];
  class OwnXHR extends FakeXHR {
    override open(..._all: unknown[]): void {}
    override setRequestHeader(): void {}
    override send(body?: unknown): void {
      this.sent.push(body);
    }
  }
  const network: Network = {
    ask: async (...all: unknown[]) => {
      const body = all.find((each) => typeof each === "object" && each !== null && "target" in each) as Record<string, unknown> | undefined;
      if (body) {
        wishes.push(body);
        return refusal ?? { status: 201, document: { id: "u1", partSize: 8 * 2 ** 20, parts: 1 } };
      }
      const links = all.some((each) => String(each).includes("/links"));
      return { status: 200, document: links ? { links: { 1: "part" } } : { state: "done", statusText: "OK", headers: [], ...answer } };
    },
    put: async () => 200,
    wait: async () => undefined,
    random: () => 0,
  };
  const scope = {
    XMLHttpRequest: OwnXHR,
    fetch: async (input: unknown, _init?: unknown) => (usual.push(input), new Response("usual")),
    location: { href: "https://x.org/hello/", origin: "https://x.org" },
    document: { baseURI: "https://x.org/hello/" },
  };
  interceptBodies(scope as unknown as BodyScope, "/hello", "v1.0.1", () => "t1", network);
  return { scope, usual, wishes };
}

test("a large body of fetch goes by S3 and R's answer comes back", async () => {
  const { scope, usual, wishes } = page({ status: 201, body: btoa("\xff\0"), encoding: "base64", headers: [["X-Own", "2"]] });
  const answer = await scope.fetch("session/0c/dataobj/rows?w=v1.0.2", { method: "post", body: LARGE, headers: { "X-Own": "1" } });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("x-own"), "2");
  assert.deepEqual([...new Uint8Array(await answer.arrayBuffer())], [255, 0]);
  const { target, size, type, method, headers, ticket } = wishes[0]!;
  assert.deepEqual({ target, size, type, method, headers, ticket }, {
    target: "/session/0c/dataobj/rows?w=v1.0.2", size: LARGE.length, type: "text/plain;charset=UTF-8", method: "POST", headers: [["x-own", "1"]], ticket: "t1",
  }); // prettier-ignore
  assert.deepEqual(usual, []);
});

test("a Request, a form and bytes are bodies too", async () => {
  const { scope, wishes } = page({ status: 204, body: "" });
  const form = new FormData();
  form.append("file", new Blob([LARGE]), "x.txt");
  const bytes = new Uint8Array(THRESHOLD + 1);
  for (const body of [form, bytes, bytes.buffer, new Blob([bytes]), new URLSearchParams({ d: LARGE })]) {
    assert.equal((await scope.fetch(new URL("https://x.org/hello/post"), { method: "PUT", body })).status, 204);
  }
  await scope.fetch(new Request("https://x.org/hello/post", { method: "PATCH", body: bytes }));
  assert.match(String(wishes[0]!["type"]), /^multipart\/form-data; ?boundary=/);
  assert.deepEqual(
    wishes.map((each) => each["method"]),
    ["PUT", "PUT", "PUT", "PUT", "PUT", "PATCH"],
  );
});

test("what is small, elsewhere, ours or no body goes its usual way", async () => {
  const { scope, usual, wishes } = page({ status: 200, body: "" });
  await scope.fetch("post", { method: "POST", body: "small" });
  await scope.fetch("https://elsewhere.org/hello/post", { method: "POST", body: LARGE });
  await scope.fetch("/other/post", { method: "POST", body: LARGE });
  await scope.fetch("__sheen__/uploads", { method: "POST", body: LARGE });
  await scope.fetch("post", { method: "POST" });
  await scope.fetch("get");
  assert.deepEqual([usual.length, wishes.length], [6, 0]);
  assert.equal(bodyTarget("http://[", "POST", "/hello", "w", scope as never), null);
});

test("a refusal is an answer with its status and its sentence", async () => {
  const { scope } = page({}, { status: 413, document: { message: "the body has 9 bytes; 8 are allowed" } });
  const answer = await scope.fetch("post", { method: "POST", body: LARGE });
  assert.equal(answer.status, 413);
  assert.equal(await answer.text(), "The request could not be sent: the body has 9 bytes; 8 are allowed\n");
});

test("a request that is given up is", async () => {
  const { scope } = page({ status: 200, body: "" });
  await assert.rejects(scope.fetch("post", { method: "POST", body: LARGE, signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("a large body of an XMLHttpRequest goes by S3, with its headers, and answers as asked", async () => {
  const { scope, wishes } = page({ status: 200, body: '{"a":1}' });
  const xhr = new scope.XMLHttpRequest() as FakeXHR & XMLHttpRequest;
  xhr.open("POST", "post");
  xhr.setRequestHeader("Content-Type", "application/json");
  xhr.setRequestHeader("X-Own", "1");
  xhr.responseType = "json";
  const ended = new Promise((resolve) => xhr.addEventListener("loadend", resolve));
  xhr.send(LARGE);
  await ended;
  assert.deepEqual([xhr.status, xhr.response, xhr.sent], [200, { a: 1 }, []]);
  assert.deepEqual([wishes[0]!["type"], wishes[0]!["headers"], wishes[0]!["target"]], ["application/json", [["x-own", "1"]], "/post"]);
  xhr.open("POST", "post", false);
  xhr.send(LARGE);
  xhr.open("POST", "post");
  xhr.send("small");
  assert.equal(xhr.sent.length, 2);
});
