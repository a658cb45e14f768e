// What the script element in the page runs.
import { interceptBodies } from "./bodies.ts";
import { Chooser, readChoice } from "./chooser.ts";
import { readConfig } from "./config.ts";
import { sockjs } from "./fallbacks.ts";
import { install, type Shiny } from "./install.ts";
import { browserNetwork, interceptUploads } from "./intercept.ts";
import { PageNotice } from "./notice.ts";
import { fetchConfig, SheenSocket, type Page } from "./socket.ts";

declare global {
  interface Window {
    Shiny?: Shiny;
  }
}

function main(): void {
  // Only a page that the agent prepared has a configuration; any other connects as it always did.
  let config = readConfig(document);
  if (!config) return;
  const notice = new PageNotice(document);
  let socket: SheenSocket | null = null;
  const { disabled } = config.settings;
  const storage = () => window.localStorage;
  const page: Page = {
    socket: (url, protocols) => new WebSocket(url, protocols),
    sockjs,
    beacon: (url, body) => void navigator.sendBeacon(url, body),
    setCookie: (cookie) => {
      try {
        document.cookie = cookie;
      } catch {
        // A sandboxed frame has none; the page's own cookie has a ticket, too.
      }
    },
    chosenTransports: () => readChoice(storage),
    now: () => Date.now(),
    random,
    setTimeout: (work, milliseconds) => window.setTimeout(work, milliseconds),
    clearTimeout: (timer) => window.clearTimeout(timer as number | undefined),
    location: window.location,
    restarts: (allowed) => {
      const wish = window.Shiny?.shinyapp?.$allowReconnect;
      return wish === "force" || (wish === true && allowed);
    },
    freshConfig: () =>
      fetchConfig(
        window.location.href,
        (url) => fetch(url, { cache: "no-store", credentials: "same-origin", headers: { accept: "text/html" } }),
        (html) => new DOMParser().parseFromString(html, "text/html"),
        (milliseconds) => new Promise((resolve) => window.setTimeout(resolve, milliseconds)),
      ),
  };
  const { ticket } = config;
  install(window, () => {
    // The first socket has the session that came with the page; shiny.js asks for another only when that has ended.
    socket = new SheenSocket(config, page, notice);
    config = null;
    return socket;
  });
  const network = browserNetwork(window);
  interceptUploads(window, config.base, () => socket?.ticket ?? "", network);
  interceptBodies(window, config.base, config.worker, () => socket?.ticket ?? ticket, network);
  const reload = () => window.location.reload();
  new Chooser(document, storage, reload, () => ({ disabled, transport: socket?.transport ?? "" })).listen();
  window.addEventListener("online", () => socket?.check());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") socket?.check();
  });
  window.addEventListener("pagehide", (event) => {
    if (!event.persisted) socket?.leave();
  });
}

function random(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}

main();
