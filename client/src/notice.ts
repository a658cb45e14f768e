// What the visitor sees when the connection is lost or the session has ended. It lives in a shadow tree, so that an
// app's style sheets and ours leave each other alone.

const STYLE = `
:host { all: initial; }
.sheen-overlay {
  position: fixed; inset: 0; z-index: 99998; background: #999; opacity: .5; pointer-events: none;
  animation: sheen-fade .3s ease-out;
}
.sheen-dialog {
  position: fixed; z-index: 99999; left: 50%; top: 30%; transform: translate(-50%, -50%);
  box-sizing: border-box; width: 416px; max-width: calc(100vw - 32px); padding: 24px 24px 20px;
  background: #fff; color: #1f2933; border-radius: 12px; border-top: 4px solid #2f6f9f;
  box-shadow: 0 16px 48px rgba(15, 30, 45, .28), 0 0 0 1px rgba(15, 30, 45, .08);
  font: 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  animation: sheen-rise .25s ease-out;
}
.sheen-dialog.sheen-ended { border-top-color: #c2571a; }
.sheen-title { margin: 0 0 6px; font-size: 18px; font-weight: 600; line-height: 1.3; }
.sheen-text { margin: 0 0 18px; color: #46535f; overflow-wrap: anywhere; }
.sheen-actions { display: flex; align-items: center; gap: 14px; }
.sheen-button {
  font: inherit; font-weight: 600; color: #fff; background: #2f6f9f; border: 0; border-radius: 7px;
  padding: 8px 18px; cursor: pointer;
}
.sheen-button:hover { background: #255a82; }
.sheen-button:focus-visible { outline: 3px solid #8fc1e6; outline-offset: 2px; }
.sheen-count { color: #66737f; font-size: 14.5px; font-variant-numeric: tabular-nums; }
.sheen-code { margin-left: auto; color: #8a96a1; font-size: 13px; font-variant-numeric: tabular-nums; }
@keyframes sheen-fade { from { opacity: 0; } }
@keyframes sheen-rise { from { opacity: 0; transform: translate(-50%, calc(-50% + 8px)); } }
@media (prefers-reduced-motion: reduce) { .sheen-overlay, .sheen-dialog { animation: none; } }
@media print { .sheen-overlay, .sheen-dialog { display: none; } }
`;

const TITLES: Record<number, string> = {
  4500: "No access",
  4501: "The app is full",
  4503: "The app has stopped",
  4506: "There is a newer version",
  4508: "The session has ended",
  4509: "This way in is closed",
  4510: "You were away for long",
  4511: "The app is silent",
  4512: "Too much at once",
  4702: "The server is shutting down",
  4704: "Your session has ended",
  4705: "Your session has ended",
  4710: "The connection was too slow",
  4711: "A message was too large",
};

export interface Notice {
  /** Cut off: grey out at `greyAt` unless restored before, and count down to `retryAt`. */
  lost(greyAt: number, retryAt: number, reconnectNow: () => void): void;
  /** An attempt is under way. */
  trying(): void;
  /** Everything is well. */
  restored(): void;
  /** The session is over. */
  ended(code: number, reason: string): void;
}

export class PageNotice implements Notice {
  private host: HTMLElement | null = null;
  private root: ShadowRoot | null = null;
  private greyTimer = 0;
  private countTimer = 0;
  private retryAt: number | null = null;
  private reconnectNow: () => void = () => undefined;
  private final = false;

  constructor(private page: Document) {}

  lost(greyAt: number, retryAt: number, reconnectNow: () => void): void {
    if (this.final) return;
    this.retryAt = retryAt;
    this.reconnectNow = reconnectNow;
    if (this.host) this.count();
    else if (!this.greyTimer) {
      this.greyTimer = window.setTimeout(() => this.showLost(), Math.max(0, greyAt - Date.now()));
    }
  }

  trying(): void {
    this.retryAt = null;
    this.count();
  }

  restored(): void {
    if (!this.final) this.clear();
  }

  ended(code: number, reason: string): void {
    this.clear();
    this.final = true;
    // shiny.js has greyed the page out by itself.
    const dialog = this.show("alertdialog", "sheen-ended", false);
    const reload = button("Reload", () => window.location.reload());
    const number = element("span", "sheen-code", String(code));
    number.title = "Code, for the app's operator";
    fill(dialog, TITLES[code] ?? "Your session has ended", reason, reload, number);
    reload.focus({ preventScroll: true });
  }

  private showLost(): void {
    this.greyTimer = 0;
    const dialog = this.show("alertdialog", "sheen-lost", true);
    const now = button("Reconnect now", () => this.reconnectNow());
    const count = element("span", "sheen-count", "");
    count.setAttribute("aria-hidden", "true"); // not read out every second
    fill(dialog, "Connection lost", "Your work is kept while this page tries to reach the app again.", now, count);
    this.count();
  }

  private count(): void {
    window.clearTimeout(this.countTimer);
    const count = this.root?.querySelector(".sheen-count");
    if (!count) return;
    const seconds = this.retryAt === null ? 0 : Math.ceil((this.retryAt - Date.now()) / 1000);
    count.textContent = seconds > 0 ? `Trying again in ${seconds} s` : "Trying\u2026";
    if (seconds > 0) this.countTimer = window.setTimeout(() => this.count(), 250);
  }

  private show(role: string, kind: string, grey: boolean): HTMLElement {
    this.clear();
    this.host = this.page.createElement("div");
    this.host.className = "sheen-notice";
    this.root = this.host.attachShadow({ mode: "open" });
    this.styled(this.root);
    if (grey) this.root.append(element("div", "sheen-overlay", ""));
    const dialog = element("div", `sheen-dialog ${kind}`, "");
    dialog.setAttribute("role", role);
    dialog.setAttribute("aria-labelledby", "sheen-title");
    dialog.setAttribute("aria-describedby", "sheen-text");
    this.root.append(dialog);
    (this.page.body ?? this.page.documentElement).append(this.host);
    return dialog;
  }

  private styled(root: ShadowRoot): void {
    // A constructed sheet also passes an app's Content-Security-Policy.
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } catch {
      root.append(element("style", "", STYLE));
    }
  }

  private clear(): void {
    window.clearTimeout(this.greyTimer);
    window.clearTimeout(this.countTimer);
    this.greyTimer = this.countTimer = 0;
    this.host?.remove();
    this.host = this.root = null;
  }
}

function fill(dialog: HTMLElement, title: string, text: string, ...actions: HTMLElement[]): void {
  const heading = element("h2", "sheen-title", title);
  heading.id = "sheen-title";
  const words = element("p", "sheen-text", text);
  words.id = "sheen-text";
  const row = element("div", "sheen-actions", "");
  row.append(...actions);
  dialog.append(heading, words, row);
}

function button(label: string, work: () => void): HTMLButtonElement {
  const made = element("button", "sheen-button", label) as HTMLButtonElement;
  made.type = "button";
  made.addEventListener("click", work);
  return made;
}

function element(tag: string, className: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
