// The parts of sockjs-client that its types leave out: lib/entry.js puts the same together.
declare module "sockjs-client/lib/main" {
  type SockJsSocket = import("./wire.ts").SockJsSocket;
  interface Options {
    transports: string[];
    timeout: number;
    server: string;
    sessionId: () => string;
  }
  export default function makeSockJS(transports: unknown[]): new (url: string, protocols: null, options: Options) => SockJsSocket;
}
declare module "sockjs-client/lib/transport/lib/iframe-wrap" {
  export default function inIframe(transport: unknown): unknown;
}
declare module "sockjs-client/lib/transport/*" {
  const transport: unknown;
  export default transport;
}
