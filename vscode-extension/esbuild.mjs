// Bundles the extension (for Node) and the run view (for the browser). `--watch` keeps on.
import * as esbuild from "esbuild";

const shared = { bundle: true, sourcemap: "linked", sourcesContent: false, minify: true, logLevel: "warning" };

const builds = [
  {
    ...shared,
    entryPoints: ["src/extension.ts"],
    outfile: "dist/extension.js",
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["vscode"],
  },
  {
    ...shared,
    entryPoints: ["src/webview/main.ts"],
    outfile: "dist/run.js",
    platform: "browser",
    format: "iife",
    target: "es2022",
  },
];

if (process.argv.includes("--watch")) {
  for (const build of builds) await (await esbuild.context(build)).watch();
} else {
  await Promise.all(builds.map((build) => esbuild.build(build)));
}
