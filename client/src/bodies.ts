// What a page's own scripts send to the app by fetch or XMLHttpRequest. A body too large for API Gateway (FACTS H1) goes as a file does.
import { carry, type Scope } from "./intercept.ts";
import { bytesOf, THRESHOLD, Upload, UploadFailed, type Network, type Target } from "./upload.ts";

const METHODS = ["POST", "PUT", "PATCH"];

/** What of a window is used; a test has its own. */
export interface BodyScope extends Scope {
  fetch: typeof fetch;
}

/** Take over large bodies to the app at `base`. `worker` is the page's R process, for URLs that name none. */
export function interceptBodies(scope: BodyScope, base: string, worker: string, ticket: () => string, network: Network): void {
  const usual = scope.fetch.bind(scope);
  scope.fetch = async (input, init) => {
    const sent = await sentBy(input, init, base, worker, scope).catch(() => null);
    return sent ? fetched(sent.body, sent.target, init?.signal ?? sent.signal, base, ticket, network) : usual(input, init);
  };
  interceptRequests(scope, base, worker, ticket, network);
}

/** Where a request goes, if it is the app's; null for any other, and for our own. */
export function bodyTarget(
  url: string,
  method: string,
  base: string,
  worker: string,
  scope: Pick<Scope, "location" | "document">,
): Target | null {
  if (!METHODS.includes(method.toUpperCase())) return null;
  let resolved: URL;
  try {
    resolved = new URL(url, scope.document.baseURI);
  } catch {
    return null;
  }
  if (resolved.origin !== scope.location.origin || !resolved.pathname.startsWith(`${base}/`)) return null;
  const path = resolved.pathname.slice(base.length + 1);
  if (/^__(sheen|sockjs)__(\/|$)/.test(path)) return null;
  return { path: `/${path}${resolved.search}`, worker: resolved.searchParams.get("w") || worker, method: method.toUpperCase() };
}

interface Sent {
  body: Blob;
  target: Target;
  signal: AbortSignal | null;
}

async function sentBy(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  base: string,
  worker: string,
  scope: BodyScope,
): Promise<Sent | null> {
  const given = typeof input === "object" && "clone" in input ? input : null;
  const url = given ? given.url : String(input as string | URL);
  const target = bodyTarget(url, init?.method ?? given?.method ?? "GET", base, worker, scope);
  if (!target || (init?.body ? !isLarge(init.body) : !given?.body)) return null;
  const request = given && !init?.body ? given.clone() : new Request(new URL(url, scope.document.baseURI), { ...init, signal: null });
  const body = await request.blob();
  if (body.size <= THRESHOLD) return null;
  return { body, target: described(target, [...request.headers]), signal: given?.signal ?? null };
}

async function fetched(
  body: Blob,
  target: Target,
  signal: AbortSignal | null,
  base: string,
  ticket: () => string,
  network: Network,
): Promise<Response> {
  const upload = new Upload(body, target, base, ticket, network, () => undefined);
  const stop = () => upload.abort();
  signal?.addEventListener("abort", stop);
  try {
    signal?.throwIfAborted();
    const answer = await upload.run();
    const empty = [204, 205, 304].includes(answer.status);
    return new Response(empty ? null : bytesOf(answer), { status: answer.status, statusText: answer.statusText, headers: answer.headers });
  } catch (error) {
    signal?.throwIfAborted();
    const status = error instanceof UploadFailed && error.status >= 400 ? error.status : 502;
    const message = error instanceof Error ? error.message : String(error);
    return new Response(`The request could not be sent: ${message}\n`, { status, headers: { "content-type": "text/plain" } });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

interface Opened {
  method: string;
  url: string;
  waits: boolean;
  headers: [string, string][];
}

function interceptRequests(scope: BodyScope, base: string, worker: string, ticket: () => string, network: Network): void {
  const prototype = scope.XMLHttpRequest.prototype;
  const { open, send, setRequestHeader } = prototype;
  const opened = new WeakMap<XMLHttpRequest, Opened>();
  prototype.open = function (this: XMLHttpRequest, method: string, url: string | URL, ...rest: unknown[]): void {
    opened.set(this, { method: String(method), url: String(url), waits: rest[0] === false, headers: [] });
    return (open as (...all: unknown[]) => void).call(this, method, url, ...rest);
  };
  prototype.setRequestHeader = function (this: XMLHttpRequest, name: string, value: string): void {
    setRequestHeader.call(this, name, value);
    opened.get(this)?.headers.push([name, value]);
  };
  prototype.send = function (this: XMLHttpRequest, body?: Document | XMLHttpRequestBodyInit | null): void {
    const request = opened.get(this);
    const target = request && !request.waits ? bodyTarget(request.url, request.method, base, worker, scope) : null;
    const own = target && /^\/session\/[0-9a-f]+\/upload\//.test(target.path); // Shiny's, by intercept.ts
    if (!request || !target || own || !body || !("nodeType" in Object(body) ? false : isLarge(body as BodyInit)))
      return send.call(this, body);
    const made = new Request(scope.location.href, { method: "POST", body: body as BodyInit });
    const headers = new Headers(request.headers);
    if (!headers.has("content-type") && made.headers.has("content-type")) headers.set("content-type", made.headers.get("content-type")!);
    made.blob().then(
      (blob) => carry(this, blob, described(target, [...headers]), base, ticket, network, "The request could not be sent"),
      () => send.call(this, body),
    );
  };
}

/** Whether a body is too large to go directly; of a stream nobody knows. */
function isLarge(body: BodyInit): boolean {
  if (typeof body === "string") return body.length > THRESHOLD || (body.length > THRESHOLD / 3 && new Blob([body]).size > THRESHOLD);
  if (body instanceof Blob) return body.size > THRESHOLD;
  if (body instanceof URLSearchParams) return body.toString().length > THRESHOLD;
  if (body instanceof FormData) {
    let size = 0;
    for (const [name, value] of body) size += 200 + name.length + (typeof value === "string" ? value.length : value.size);
    return size > THRESHOLD;
  }
  return "byteLength" in body && body.byteLength > THRESHOLD;
}

function described(target: Target, headers: [string, string][]): Target {
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "application/octet-stream";
  return { ...target, type, headers: headers.filter(([name]) => name.toLowerCase() !== "content-type") };
}
