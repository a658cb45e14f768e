// Bundles the client into dist/relay.js, with SockJS's own bundle for its iframes beside it, or with --tests each test into
// build/test/.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { build } from "esbuild";

if (argv.includes("--tests")) {
  const tests = readdirSync("test").filter((name) => name.endsWith(".test.ts") || name === "harness.ts");
  await build({
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "build/test",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    sourcemap: "inline",
    logLevel: "warning",
  });
} else {
  const sockjsVersion = JSON.parse(readFileSync("node_modules/sockjs-client/package.json", "utf8")).version;
  await build({
    entryPoints: ["src/main.ts"],
    outfile: "dist/relay.js",
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2019", "chrome80", "firefox78", "safari13"],
    charset: "ascii",
    sourcemap: true,
    // sockjs-client is written for browserify.
    define: { global: "window", "process.env.NODE_ENV": '"production"' },
    legalComments: "none",
    banner: { js: `/*! Contains sockjs-client ${sockjsVersion}, MIT license: see sockjs.LICENSE */` },
    logLevel: "info",
  });
  const whole = readFileSync("node_modules/sockjs-client/dist/sockjs.min.js", "utf8");
  writeFileSync("dist/sockjs.js", whole.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
  copyFileSync("node_modules/sockjs-client/LICENSE", "dist/sockjs.LICENSE");
}
