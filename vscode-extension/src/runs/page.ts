// The HTML that the run view begins with. Scripts run by nonce only, nothing is loaded from the network.
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

export function pageFor(webview: vscode.Webview, extension: vscode.Uri): string {
  const nonce = randomBytes(18).toString("base64");
  const script = webview.asWebviewUri(vscode.Uri.joinPath(extension, "dist", "run.js"));
  const style = webview.asWebviewUri(vscode.Uri.joinPath(extension, "media", "run.css"));
  const policy = `default-src 'none'; img-src data:; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <link rel="stylesheet" href="${style}">
  <title>CodeAct</title>
</head>
<body>
  <header>
    <h1 id="title">CodeAct</h1>
    <p id="facts"></p>
    <div class="bar">
      <div id="status" role="status" aria-live="polite"></div>
      <div id="actions" role="toolbar" aria-label="Run"></div>
    </div>
  </header>
  <main>
    <ol id="entries" role="log" aria-live="polite" aria-relevant="additions" aria-label="Steps"></ol>
    <pre id="live" aria-live="off" aria-label="What the model is writing" hidden></pre>
  </main>
  <script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}
