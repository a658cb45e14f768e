// SockJS's transports besides WebSocket, in our own order: sockjs-client tries them in the order of this list.
import makeSockJS from "sockjs-client/lib/main";
import eventSource from "sockjs-client/lib/transport/eventsource";
import htmlFile from "sockjs-client/lib/transport/htmlfile";
import jsonpPolling from "sockjs-client/lib/transport/jsonp-polling";
import inIframe from "sockjs-client/lib/transport/lib/iframe-wrap";
import xhrPolling from "sockjs-client/lib/transport/xhr-polling";
import xhrStreaming from "sockjs-client/lib/transport/xhr-streaming";
import { TRANSPORTS, type Transport } from "./routes.ts";
import { SERVER, type SockJsSocket } from "./wire.ts";

const AVAILABLE: Record<Exclude<Transport, "websocket">, unknown> = {
  "xhr-polling": xhrPolling,
  "iframe-xhr-polling": inIframe(xhrPolling),
  "jsonp-polling": jsonpPolling,
  "xhr-streaming": xhrStreaming,
  "iframe-eventsource": inIframe(eventSource),
  "iframe-htmlfile": inIframe(htmlFile),
};
const TIMEOUT = 8000; // each transport's; by itself SockJS gives a few round trips only (FACTS S9)
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz";

const SockJS = makeSockJS(TRANSPORTS.flatMap((name) => (name === "websocket" ? [] : [AVAILABLE[name]])));

/** Connect to `url` by one of `transports`; `session` is told the name of the client's session there. */
export function sockjs(url: string, transports: string[], session: (name: string) => void): SockJsSocket {
  const sessionId = () => {
    const name = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => LETTERS.charAt(byte % LETTERS.length)).join("");
    session(name);
    return name;
  };
  return new SockJS(url, null, { transports, timeout: TIMEOUT, server: SERVER, sessionId });
}
