// Bundles the dashboard's script and style into the folder named by the first argument.
// Every file carries its content's hash, so it may be cached for ever; manifest.json maps plain names to them.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";

const out = path.resolve(process.argv[2] ?? "../flower_web/static/dist");

const result = await esbuild.build({
  entryPoints: ["theme.ts", "app.ts", "charts.ts", "app.css", "charts.css"],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  outdir: out,
  entryNames: "[name]-[hash]",
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const [file, made] of Object.entries(result.metafile.outputs)) {
  if (made.entryPoint) {
    manifest[path.basename(made.entryPoint).replace(/\.ts$/, ".js")] = path.basename(file);
  }
}
writeFileSync(path.join(out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

// The OpenAPI page is served as its package ships it: plain names, because Litestar's settings name them.
mkdirSync(path.join(out, "openapi"), { recursive: true });
for (const name of ["swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "swagger-ui.css", "LICENSE", "NOTICE"]) {
  copyFileSync(path.join("node_modules/swagger-ui-dist", name), path.join(out, "openapi", name));
}
