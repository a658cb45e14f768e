// shiny.js posts each file by XMLHttpRequest (FACTS S5). A large one is taken over here, and the request looks as if it had gone its usual way.
import { bytesOf, THRESHOLD, Upload, UploadFailed, type Answer, type Network, type Target } from "./upload.ts";

/** What of a window is used; a test has its own. */
export interface Scope {
  XMLHttpRequest: { prototype: XMLHttpRequest };
  location: { href: string; origin: string };
  document: { baseURI: string };
}

interface Opened {
  method: string;
  url: string;
}

/** Take over uploads of large files to the app at `base`, in this page's session. */
export function interceptUploads(scope: Scope, base: string, ticket: () => string, network: Network): void {
  const prototype = scope.XMLHttpRequest.prototype;
  const { open, send } = prototype;
  const opened = new WeakMap<XMLHttpRequest, Opened>();
  const carried = new WeakSet<XMLHttpRequest>();
  prototype.open = function (this: XMLHttpRequest, method: string, url: string | URL, ...rest: unknown[]): void {
    if (carried.delete(this)) for (const name of FAKED) delete (this as unknown as Record<string, unknown>)[name];
    opened.set(this, { method: String(method), url: String(url) });
    return (open as (...all: unknown[]) => void).call(this, method, url, ...rest);
  };
  prototype.send = function (this: XMLHttpRequest, body?: Document | XMLHttpRequestBodyInit | null): void {
    const request = opened.get(this);
    if (request && body instanceof Blob && body.size > THRESHOLD && request.method.toUpperCase() === "POST") {
      const target = targetOf(request.url, base, scope);
      if (target) {
        carried.add(this);
        carry(this, body, target, base, ticket, network);
        return;
      }
    }
    send.call(this, body);
  };
}

/** What an upload's URL names; null when it is another URL. */
export function targetOf(url: string, base: string, scope: Pick<Scope, "location" | "document">): Target | null {
  let resolved: URL;
  try {
    resolved = new URL(url, scope.document.baseURI);
  } catch {
    return null;
  }
  if (resolved.origin !== scope.location.origin || !resolved.pathname.startsWith(`${base}/session/`)) return null;
  const path = resolved.pathname.slice(base.length + 1);
  const worker = resolved.searchParams.get("w");
  if (!worker || !/^session\/[0-9a-f]+\/upload\/[\w-]+$/.test(path)) return null;
  return { path: path + resolved.search, worker };
}

const FAKED = [
  "readyState", "status", "statusText", "response", "responseText", "responseURL",
  "getResponseHeader", "getAllResponseHeaders", "abort",
]; // prettier-ignore

/** Have a request that is open look as if it had sent `file`. `failed` begins what it says when that could not be. */
export function carry(
  xhr: XMLHttpRequest,
  file: Blob,
  target: Target,
  base: string,
  ticket: () => string,
  network: Network,
  failed = "Upload failed",
): void {
  let state = 1;
  let answer: Answer | null = null;
  const text = () => (answer?.encoding ? new TextDecoder().decode(bytesOf(answer)) : (answer?.body ?? ""));
  const fake = (name: string, descriptor: PropertyDescriptor) => Object.defineProperty(xhr, name, { configurable: true, ...descriptor });
  fake("readyState", { get: () => state });
  fake("status", { get: () => answer?.status ?? 0 });
  fake("statusText", { get: () => answer?.statusText ?? "" });
  fake("response", { get: () => (answer ? responseOf(answer, xhr.responseType, text) : xhr.responseType ? null : "") });
  fake("responseText", { get: text });
  fake("responseURL", { get: () => "" });
  fake("getResponseHeader", {
    value: (name: string) => answer?.headers.find(([each]) => each.toLowerCase() === name.toLowerCase())?.[1] ?? null,
  });
  fake("getAllResponseHeaders", {
    value: () => (answer?.headers ?? []).map(([name, value]) => `${name.toLowerCase()}: ${value}\r\n`).join(""),
  });

  const tell = (on: EventTarget, type: string, loaded: number) =>
    on.dispatchEvent(Object.assign(new Event(type), { lengthComputable: true, loaded, total: file.size }));
  const move = (to: number) => {
    state = to;
    xhr.dispatchEvent(new Event("readystatechange"));
  };
  const upload = new Upload(file, target, base, ticket, network, (bytes) => {
    if (state === 1) tell(xhr.upload, "progress", bytes);
  });
  const finish = (ending: "load" | "error" | "abort") => {
    tell(xhr.upload, ending, ending === "load" ? file.size : 0);
    tell(xhr.upload, "loadend", file.size);
    if (ending === "load") {
      move(2);
      move(3);
    }
    move(4);
    tell(xhr, ending, 0);
    tell(xhr, "loadend", 0);
  };
  fake("abort", {
    value: () => {
      if (state !== 1) return;
      upload.abort();
      finish("abort");
      state = 0;
    },
  });
  tell(xhr, "loadstart", 0);
  tell(xhr.upload, "loadstart", 0);
  upload.run().then(
    (said) => {
      if (state !== 1) return;
      answer = said;
      finish("load");
    },
    (error: unknown) => {
      if (state !== 1) return;
      // With a status and a text, so that Shiny shows what went wrong rather than "error".
      const message = error instanceof Error ? error.message : String(error);
      const status = error instanceof UploadFailed && error.status >= 400 ? error.status : 502;
      answer = { status, statusText: "Upload failed", headers: [["content-type", "text/plain"]], body: `${failed}: ${message}` };
      finish("load");
    },
  );
}

function responseOf(answer: Answer, kind: XMLHttpRequestResponseType, text: () => string): unknown {
  switch (kind) {
    case "arraybuffer":
      return bytesOf(answer).buffer;
    case "blob":
      return new Blob([bytesOf(answer)], { type: answer.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? "" });
    case "json":
      try {
        return JSON.parse(text()) as unknown;
      } catch {
        return null;
      }
    default:
      return text();
  }
}

/** The network of a browser. */
export function browserNetwork(scope: Window & typeof globalThis): Network {
  return {
    ask: async (url, body, signal, leaving = false) => {
      const answer = await scope.fetch(url, {
        method: "POST",
        headers: { accept: "application/json", "content-type": "application/json" },
        signal,
        body: JSON.stringify(body),
        cache: "no-store",
        credentials: "same-origin",
        keepalive: leaving,
      });
      let document: Record<string, unknown> | null = null;
      try {
        document = (await answer.json()) as Record<string, unknown>;
      } catch {
        // A page of the gateway's, or nothing.
      }
      return { status: answer.status, document };
    },
    put: (url, part, progress, signal) =>
      new Promise((resolve, reject) => {
        const xhr = new scope.XMLHttpRequest();
        const stop = () => xhr.abort();
        signal.addEventListener("abort", stop);
        const done = () => signal.removeEventListener("abort", stop);
        xhr.open("PUT", url);
        xhr.upload.onprogress = (event) => progress(event.loaded);
        xhr.onload = () => (done(), resolve(xhr.status));
        xhr.onerror = xhr.onabort = () => (done(), reject(new Error("no answer")));
        xhr.send(part);
      }),
    wait: (milliseconds) => new Promise((resolve) => scope.setTimeout(resolve, milliseconds)),
    random: () => Math.random(),
  };
}
