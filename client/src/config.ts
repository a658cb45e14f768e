/** What the agent puts into the page, as `<script type="application/json" id="sheen-config">`. */
export interface Config {
  /** The session's id. */
  session: string;
  /** The pass that the socket shows; renewed over the wire. */
  ticket: string;
  /** Absolute (`wss://…`), or a path on the page's own host. */
  websocketUrl: string;
  /** The app's public path, without a slash at its end. */
  base: string;
  /** The id of the R process, by which requests find it (FACTS S3). */
  worker: string;
  settings: Settings;
}

/** Times in seconds, sizes in bytes. */
export interface Settings {
  /** Whether a session outlives its connection (`reconnect`). */
  reconnect: boolean;
  /** Transports that the app does not allow (`disable_protocols`, `disable_websockets`). */
  disabled: string[];
  /** The server says something when nothing was said for so long (`sockjs_heartbeat_delay`). */
  heartbeatSeconds: number;
  /** How long the server keeps a session that has no connection. */
  graceSeconds: number;
  /** The page greys out after being cut off for so long. */
  greyAfterSeconds: number;
  /** Say something when nothing was said for so long: an idle connection is cut after ten minutes (FACTS W2). */
  keepaliveSeconds: number;
  /** Show a sign of life when the page has said nothing for so long (`connection_timeout`); 0: no need to. */
  aliveSeconds: number;
  /** Move to a fresh connection at this age: one is cut after two hours (FACTS W2). */
  refreshSeconds: number;
  /** An acknowledgement waits so long for a frame to travel with. */
  ackSeconds: number;
  /** So much unacknowledged is acknowledged at once. */
  ackBytes: number;
  /** The largest frame to send (FACTS W1). */
  frameLimit: number;
  /** So much may be sent ahead of its acknowledgement, in bytes and in messages. */
  windowBytes: number;
  windowCount: number;
  /** The largest message. */
  maxMessage: number;
}

export const DEFAULTS: Settings = {
  reconnect: true,
  disabled: [],
  heartbeatSeconds: 25,
  graceSeconds: 15,
  greyAfterSeconds: 3,
  keepaliveSeconds: 240,
  aliveSeconds: 300,
  refreshSeconds: 6600,
  ackSeconds: 20,
  ackBytes: 65536,
  frameLimit: 32256,
  windowBytes: 524288,
  windowCount: 256,
  maxMessage: 67108864,
};

/** The configuration in a document, if it has one. */
export function readConfig(page: Document): Config | null {
  const text = page.getElementById("sheen-config")?.textContent;
  if (!text) return null;
  const value = JSON.parse(text) as Config;
  return { ...value, worker: value.worker ?? "", settings: { ...DEFAULTS, ...value.settings } };
}

/** The address to open a socket at. */
export function socketUrl(config: Config, location: { protocol: string; host: string }): string {
  if (/^wss?:/.test(config.websocketUrl)) return config.websocketUrl;
  return (location.protocol === "https:" ? "wss://" : "ws://") + location.host + config.websocketUrl;
}
