// Bundles the client into dist/relay.js, or with --tests each test into build/test/.
import { readdirSync } from "node:fs";
import { build } from "esbuild";

if (process.argv.includes("--tests")) {
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
  await build({
    entryPoints: ["src/main.ts"],
    outfile: "dist/relay.js",
    bundle: true,
    minify: true,
    format: "iife",
    target: ["es2019", "chrome80", "firefox78", "safari13"],
    charset: "ascii",
    sourcemap: true,
    legalComments: "none",
    logLevel: "info",
  });
}
