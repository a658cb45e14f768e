// SockJS frames (FACTS S6), as workers/relay/sockjs.py has them.
import { ProtocolError } from "./errors.ts";

export type ServerFrame =
  { kind: "open" } | { kind: "heartbeat" } | { kind: "messages"; messages: string[] } | { kind: "close"; code: number; reason: string };

/** A JSON string's content, without its quotes. */
export function escape(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The bytes of `text` in UTF-8. */
export function size(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x80) continue;
    if (code < 0x800) bytes += 1;
    else if (code >= 0xd800 && code < 0xdc00 && index + 1 < text.length) {
      // Two units here are four bytes there.
      bytes += 2;
      index++;
    } else bytes += 2;
  }
  return bytes;
}

/** A client's frame of strings that `escape` made. */
export function array(escaped: string[]): string {
  return '["' + escaped.join('","') + '"]';
}

/** What a server's frame says. */
export function decode(frame: string): ServerFrame {
  switch (frame.charAt(0)) {
    case "o":
      if (frame === "o") return { kind: "open" };
      break;
    case "h":
      if (frame === "h") return { kind: "heartbeat" };
      break;
    case "a": {
      const messages = json(frame.slice(1));
      if (Array.isArray(messages) && messages.every((message) => typeof message === "string")) {
        return { kind: "messages", messages };
      }
      break;
    }
    case "c": {
      const closing = json(frame.slice(1));
      if (Array.isArray(closing) && Number.isInteger(closing[0]) && typeof closing[1] === "string") {
        return { kind: "close", code: closing[0] as number, reason: closing[1] };
      }
      break;
    }
  }
  throw new ProtocolError(`not a SockJS frame: ${frame.slice(0, 40)}`);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError(`not JSON: ${text.slice(0, 40)}`);
  }
}
