// The protocol chooser that Shiny Server's users know: Ctrl-Alt-Shift-A, and the visitor says which transports may be used.
import { TRANSPORTS, type Transport } from "./routes.ts";

/** Where the choice is kept: a JSON list of the transports that may be used. */
export const STORED = "sheen-transports";

const STYLE = `
:host { all: initial; }
dialog {
  box-sizing: border-box; width: 416px; max-width: calc(100vw - 32px); padding: 24px 24px 20px; border: 0;
  background: #fff; color: #1f2933; border-radius: 12px; border-top: 4px solid #2f6f9f;
  box-shadow: 0 16px 48px rgba(15, 30, 45, .28), 0 0 0 1px rgba(15, 30, 45, .08);
  font: 400 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
dialog::backdrop { background: rgba(15, 30, 45, .35); }
h2 { margin: 0 0 6px; font-size: 18px; font-weight: 600; line-height: 1.3; }
p { margin: 0 0 12px; color: #46535f; }
fieldset { margin: 0 0 16px; padding: 0; border: 0; }
legend { padding: 0; position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
label { display: flex; align-items: center; gap: 10px; padding: 4px 0; }
label small { margin-left: auto; color: #66737f; font-size: 13px; }
input { width: 17px; height: 17px; margin: 0; accent-color: #2f6f9f; }
.warning { min-height: 1.5em; margin: -8px 0 8px; color: #a3400c; font-size: 14.5px; }
.actions { display: flex; gap: 10px; }
button { font: inherit; font-weight: 600; border: 0; border-radius: 7px; padding: 8px 16px; cursor: pointer; background: #e6ebf0; color: #1f2933; }
button.first { background: #2f6f9f; color: #fff; }
button:focus-visible, input:focus-visible { outline: 3px solid #8fc1e6; outline-offset: 2px; }
`;

/** The visitor's choice, if there is one. */
export function readChoice(storage: () => Storage): string[] | null {
  try {
    const value: unknown = JSON.parse(storage().getItem(STORED) ?? "null");
    return Array.isArray(value) ? value.filter((name): name is string => typeof name === "string") : null;
  } catch {
    return null; // a browser that gives no storage to a frame, or something that is not ours
  }
}

export interface Situation {
  /** What the app switches off. */
  disabled: readonly string[];
  /** What carries the session now. */
  transport: string;
}

export class Chooser {
  private dialog: HTMLDialogElement | null = null;

  constructor(
    private page: Document,
    private storage: () => Storage,
    private reload: () => void,
    private situation: () => Situation,
  ) {}

  /** Listen for the keys. */
  listen(): void {
    this.page.addEventListener("keydown", (event) => {
      if (event.ctrlKey && event.altKey && event.shiftKey && (event.code === "KeyA" || event.key.toLowerCase() === "a")) {
        event.preventDefault();
        this.open();
      }
    });
  }

  open(): void {
    if (this.dialog?.open) return;
    const { disabled, transport } = this.situation();
    const chosen = readChoice(this.storage);
    const host = this.page.createElement("div");
    host.className = "sheen-chooser";
    const root = host.attachShadow({ mode: "open" });
    const dialog = (this.dialog = element("dialog", ""));
    dialog.setAttribute("aria-labelledby", "title");
    dialog.addEventListener("close", () => host.remove());
    const title = element("h2", "Ways to connect");
    title.id = "title";
    const words = element("p", transport ? `This page is connected by ${transport}.` : "This page is not connected now.");
    const fields = element("fieldset", "");
    fields.append(element("legend", "Transports that this browser may use"));
    const boxes = new Map<Transport, HTMLInputElement>();
    for (const name of TRANSPORTS) {
      const box = element("input", "");
      box.type = "checkbox";
      box.name = name;
      box.disabled = disabled.includes(name);
      box.checked = !box.disabled && (!chosen || chosen.includes(name));
      const label = element("label", "");
      label.append(box, name);
      if (box.disabled) label.append(element("small", "switched off for this app"));
      fields.append(label);
      boxes.set(name, box);
    }
    const warning = element("p", "");
    warning.className = "warning";
    warning.setAttribute("role", "status");
    const apply = button("Apply and reload", () => {
      const usable = [...boxes].filter(([, box]) => !box.disabled);
      const wished = usable.filter(([, box]) => box.checked).map(([name]) => name);
      if (wished.length) this.keep(wished.length === usable.length ? null : wished);
      else warning.textContent = "Leave at least one way to connect.";
    });
    apply.className = "first";
    const actions = element("div", "");
    actions.className = "actions";
    actions.append(
      apply,
      button("Use all", () => this.keep(null)),
      button("Cancel", () => dialog.close()),
    );
    dialog.append(title, words, fields, warning, actions);
    styled(root);
    root.append(dialog);
    (this.page.body ?? this.page.documentElement).append(host);
    dialog.showModal();
  }

  private keep(wished: Transport[] | null): void {
    try {
      if (wished) this.storage().setItem(STORED, JSON.stringify(wished));
      else this.storage().removeItem(STORED);
    } catch (error) {
      console.warn("sheen: this browser keeps nothing for this page", error);
    }
    this.reload();
  }
}

function styled(root: ShadowRoot): void {
  // A constructed sheet also passes an app's Content-Security-Policy.
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(element("style", STYLE));
  }
}

function button(label: string, work: () => void): HTMLButtonElement {
  const made = element("button", label);
  made.type = "button";
  made.addEventListener("click", work);
  return made;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, text: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
