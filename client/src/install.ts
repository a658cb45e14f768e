/** The part of `window.Shiny` that concerns us. */
export interface Shiny {
  createSocket?: () => unknown;
  shinyapp?: { $allowReconnect?: boolean | "force"; $socket?: unknown };
}

/**
 * Makes shiny.js open its socket through `createSocket` (FACTS S1), whether it has been loaded already or is still to
 * come. `window.Shiny` must not be made here: shiny.js from 1.8.1 refuses to start when it exists.
 */
export function install(scope: { Shiny?: Shiny }, createSocket: () => unknown): void {
  if (scope.Shiny) {
    scope.Shiny.createSocket = createSocket;
    return;
  }
  Object.defineProperty(scope, "Shiny", {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set: (shiny: Shiny | undefined) => {
      Object.defineProperty(scope, "Shiny", { value: shiny, configurable: true, enumerable: true, writable: true });
      if (shiny) shiny.createSocket = createSocket;
    },
  });
}
