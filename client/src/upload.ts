// A file too large for API Gateway (FACTS H1), by S3: in parts, several at once, each tried again when it fails; then the agent gives it to R.

/** A larger file goes this way; a copy of DIRECT_UPLOAD in chalicelib/configuration/limits.py. */
export const THRESHOLD = 4 * 1024 * 1024;

const AT_ONCE = 4;
const LINKS = 16;
const TRIES = 8;
/** Of the progress that is shown: what the visitor's own network does. The rest is between S3 and R. */
const SENDING = 0.9;

/** What R answered to the file. */
export interface Answer {
  status: number;
  statusText: string;
  headers: [string, string][];
  body: string;
  /** How the body is written, if it is no text. */
  encoding?: "base64" | undefined;
}

/** The body of an answer. */
export function bytesOf(answer: Answer): Uint8Array<ArrayBuffer> {
  if (answer.encoding !== "base64") return new TextEncoder().encode(answer.body);
  return Uint8Array.from(atob(answer.body), (character) => character.charCodeAt(0));
}

/** What the app or S3 said; `document` is null when it was not JSON. */
export interface Said {
  status: number;
  document: Record<string, unknown> | null;
}

/** The network, as an upload uses it; a test has its own. Both reject when nothing came back. `leaving`: nobody waits for the answer. */
export interface Network {
  ask(url: string, body: unknown, signal: AbortSignal, leaving?: boolean): Promise<Said>;
  put(url: string, part: Blob, progress: (bytes: number) => void, signal: AbortSignal): Promise<number>;
  wait(milliseconds: number): Promise<void>;
  random(): number;
}

/** The upload cannot go on; the message is for people. */
export class UploadFailed extends Error {
  override name = "UploadFailed";
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Where a file goes: R's URL below the app's, and the id of the R process in it. */
export interface Target {
  path: string;
  worker: string;
  /** Of a request of the page's own: its method, and what it says of itself. */
  method?: string;
  type?: string;
  headers?: [string, string][];
}

/** One file. */
export class Upload {
  private readonly stop = new AbortController();
  private id = "";
  private partSize = 0;
  private next = 1;
  private parts = 0;
  private links = new Map<number, string>();
  private asking: Promise<void> | null = null;
  private sent = 0;
  private sending = new Map<number, number>();

  constructor(
    private readonly file: Blob,
    private readonly target: Target,
    private readonly base: string,
    private readonly ticket: () => string,
    private readonly network: Network,
    private readonly progress: (bytes: number) => void,
  ) {}

  /** Send the file; resolves with R's answer, rejects with UploadFailed. Nothing stays of it then. */
  async run(): Promise<Answer> {
    try {
      const begun = await this.ask("", {
        target: this.target.path,
        size: this.file.size,
        type: this.target.type ?? "application/octet-stream",
        ...(this.target.method && { method: this.target.method, headers: this.target.headers ?? [] }),
      });
      this.id = String(begun["id"]);
      this.partSize = Number(begun["partSize"]);
      this.parts = Number(begun["parts"]);
      if (this.stop.signal.aborted) throw new UploadFailed("the upload was given up", 0);
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, this.parts) }, () => this.sendParts()));
      return await this.handOver();
    } catch (error) {
      this.abort();
      if (error instanceof UploadFailed) throw error;
      throw new UploadFailed(error instanceof Error ? error.message : String(error), 0);
    }
  }

  /** Give it up; what has arrived is deleted. */
  abort(): void {
    if (this.stop.signal.aborted) return;
    this.stop.abort();
    if (!this.id) return;
    const left = this.network.ask(this.url(`/${this.id}/abort`), { ticket: this.ticket() }, new AbortController().signal, true);
    left.catch(() => undefined);
  }

  private async sendParts(): Promise<void> {
    while (this.next <= this.parts) {
      const number = this.next++;
      try {
        await this.sendPart(number);
      } catch (error) {
        this.next = this.parts + 1; // the others need not begin another
        throw error;
      }
    }
  }

  private async sendPart(number: number): Promise<void> {
    const start = (number - 1) * this.partSize;
    const part = this.file.slice(start, Math.min(start + this.partSize, this.file.size));
    for (let attempt = 1; ; attempt++) {
      const link = await this.link(number);
      let status = 0;
      try {
        status = await this.network.put(link, part, (bytes) => this.moved(number, bytes), this.stop.signal);
      } catch {
        // Nothing came back; it may have arrived, but sending it twice does no harm.
      }
      if (this.stop.signal.aborted) throw new UploadFailed("the upload was given up", 0);
      if (status >= 200 && status < 300) {
        this.sending.delete(number);
        this.sent += part.size;
        this.moved(0, 0);
        return;
      }
      this.moved(number, 0);
      if (attempt >= TRIES) throw new UploadFailed(`part ${number} of the file could not be sent (${status || "no answer"})`, status);
      if (status === 403 || status === 400) this.links.delete(number); // too old
      await this.pause(attempt);
    }
  }

  /** The presigned URL of a part; asked for in batches, since they are good for a while only. */
  private async link(number: number): Promise<string> {
    for (;;) {
      const known = this.links.get(number);
      if (known !== undefined) return known;
      this.asking ??= this.moreLinks(number).finally(() => (this.asking = null));
      await this.asking;
    }
  }

  private async moreLinks(first: number): Promise<void> {
    const wanted: number[] = [];
    for (let number = first; number <= this.parts && wanted.length < LINKS; number++) {
      if (!this.links.has(number)) wanted.push(number);
    }
    const said = await this.ask(`/${this.id}/links`, { parts: wanted });
    for (const [number, url] of Object.entries(said["links"] as Record<string, string>)) this.links.set(Number(number), url);
  }

  /** Have the agent give the file to R, and ask how far it is until R has answered. */
  private async handOver(): Promise<Answer> {
    let said = await this.ask(`/${this.id}/complete`, {});
    while (said["state"] === "open" || said["state"] === "handing") {
      this.progress(Math.floor(this.file.size * SENDING + Number(said["given"]) * (1 - SENDING)));
      said = await this.ask(`/${this.id}/wait`, {});
    }
    if (said["state"] !== "done") throw new UploadFailed(String((said["message"] as string) || "the upload was given up"), 502);
    this.progress(this.file.size);
    return {
      status: Number(said["status"]),
      statusText: String(said["statusText"]),
      headers: said["headers"] as [string, string][],
      body: String(said["body"]),
      ...(said["encoding"] === "base64" && { encoding: "base64" }),
    };
  }

  /** The ticket goes with each request: the upload's id is in the URL, and URLs get logged. */
  private async ask(path: string, body: Record<string, unknown>): Promise<Record<string, unknown>> {
    for (let attempt = 1; ; attempt++) {
      let said: Said = { status: 0, document: null };
      try {
        said = await this.network.ask(this.url(path), { ticket: this.ticket(), ...body }, this.stop.signal);
      } catch {
        // Nothing came back. Each of our requests may be repeated.
      }
      if (this.stop.signal.aborted) throw new UploadFailed("the upload was given up", 0);
      if (said.status >= 200 && said.status < 300 && said.document) return said.document;
      const passing = said.status === 0 || said.status === 429 || said.status >= 500;
      if (!passing || attempt >= TRIES) {
        throw new UploadFailed(
          String((said.document?.["message"] as string | undefined) ?? `the app does not answer (${said.status})`),
          said.status,
        );
      }
      await this.pause(attempt);
    }
  }

  private url(path: string): string {
    return `${this.base}/__sheen__/uploads${path}?w=${encodeURIComponent(this.target.worker)}`;
  }

  private async pause(attempt: number): Promise<void> {
    await this.network.wait(Math.min(500 * 2 ** (attempt - 1), 10_000) * (0.5 + this.network.random()));
    if (this.stop.signal.aborted) throw new UploadFailed("the upload was given up", 0);
  }

  private moved(number: number, bytes: number): void {
    if (number) this.sending.set(number, bytes);
    let loaded = this.sent;
    for (const each of this.sending.values()) loaded += each;
    this.progress(Math.floor(Math.min(loaded, this.file.size) * SENDING));
  }
}
