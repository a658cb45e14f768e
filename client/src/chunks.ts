// A message that does not fit a frame travels in parts, as workers/relay/chunks.py has it.
import { escape, size } from "./sockjs.ts";

/** `text` escaped, in pieces of at most `limit` bytes each as they travel. */
export function split(text: string, limit: number): string[] {
  const escaped = escape(text);
  if (size(escaped) <= limit) return [escaped];
  const pieces: string[] = [];
  let start = 0;
  let step = limit;
  while (start < text.length) {
    for (;;) {
      const end = boundary(text, start, start + step);
      const piece = escape(text.slice(start, end));
      const length = size(piece);
      if (length <= limit || end - start <= 2) {
        pieces.push(piece);
        step = end - start;
        start = end;
        break;
      }
      step = Math.max(2, Math.floor((step * limit) / length));
    }
    step = Math.min(limit, step + (step >> 3) + 1);
  }
  return pieces;
}

/** `end`, moved so that it does not part a surrogate pair. */
function boundary(text: string, start: number, end: number): number {
  if (end >= text.length) return text.length;
  const before = text.charCodeAt(end - 1);
  const after = text.charCodeAt(end);
  if (before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000) {
    return end - 1 > start ? end - 1 : end + 1;
  }
  return end;
}
