import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
  globalIgnores(["build", "dist"]),
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // tsc's noUnusedLocals and noUnusedParameters say it, and let a name that begins with _ be.
      "@typescript-eslint/no-unused-vars": "off",
      // node:test waits for its tests by itself.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }] },
      ],
    },
  },
  {
    // They put their own methods into XMLHttpRequest's prototype, and call the browser's with each request as `this`.
    files: ["src/bodies.ts", "src/intercept.ts"],
    rules: { "@typescript-eslint/unbound-method": "off" },
  },
  {
    // A fake is async because what it stands for is: what it throws must be a rejection.
    files: ["test/**"],
    rules: { "@typescript-eslint/require-await": "off" },
  },
  // tsconfig.json has no JavaScript: what builds and checks has no types.
  { files: ["*.mjs"], extends: [tseslint.configs.disableTypeChecked] },
);
