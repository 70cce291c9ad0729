// The page of the run view: events come in, HTML goes on the page. It only ever appends, so reading is not disturbed.
import { escapeHtml } from "../pure/escape";
import { renderEntry } from "../pure/render";
import { EMPTY, type RunModel, reduce } from "../pure/runModel";
import { describeStatus } from "../pure/summary";
import type { ToPage } from "../pure/viewMessages";
import { actionsFor } from "../pure/viewMessages";

interface VsCode {
  postMessage(message: object): void;
  setState(state: object): void;
}
declare function acquireVsCodeApi(): VsCode;

const vscode = acquireVsCodeApi();
let model: RunModel = EMPTY;
let state = "open";
let shown = 0;
let due = false;

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  switch (data.type) {
    case "reset":
      model = data.events.reduce(reduce, { ...EMPTY, run: data.run });
      state = data.state;
      shown = 0;
      element("entries").replaceChildren();
      vscode.setState({ run: data.run });
      break;
    case "events":
      model = data.events.reduce(reduce, model);
      break;
    case "state":
      state = data.state;
      break;
    case "artifact":
      fillArtifact(data.sha256, data.html);
      break;
  }
  if (!due) requestAnimationFrame(draw);
  due = true;
});

function draw(): void {
  due = false;
  const follows = window.innerHeight + window.scrollY >= document.body.scrollHeight - 60;
  element("title").textContent = model.title;
  element("facts").textContent = model.facts.join(" · ");
  element("facts").title = model.workspace;
  drawStatus();
  for (const entry of model.entries.slice(shown)) {
    const item = document.createElement("li");
    item.innerHTML = renderEntry(entry);
    element("entries").append(item);
    requestArtifacts(item);
  }
  shown = model.entries.length;
  const live = element("live");
  live.hidden = !model.live;
  live.textContent = model.live;
  element("actions").innerHTML = actionsFor(model, state)
    .map(({ command, label, main }) => {
      return `<button data-command="${command}" class="${main ? "main" : "other"}">${escapeHtml(label)}</button>`;
    })
    .join("");
  if (follows && model.status === "running") window.scrollTo({ top: document.body.scrollHeight });
}

function drawStatus(): void {
  const words = state === "open" ? describeStatus(model.status) : capital(state);
  const text = model.status === "running" ? capital(model.activity) : words;
  const status = element("status");
  if (status.textContent !== text) status.textContent = text; // an equal text would be read aloud again
  status.dataset.status = state === "open" ? model.status : state;
  document.body.setAttribute("aria-busy", String(model.status === "running"));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Large artifacts are not in the journal's events: ask for them by their hash. */
function requestArtifacts(item: HTMLElement): void {
  for (const figure of item.querySelectorAll<HTMLElement>("figure.artifact[data-sha256]")) {
    const sha256 = figure.dataset.sha256;
    if (sha256) vscode.postMessage({ type: "artifact", run: model.run, sha256 });
  }
}

function fillArtifact(sha256: string, html: string): void {
  for (const figure of document.querySelectorAll<HTMLElement>("figure.artifact")) {
    if (figure.dataset.sha256 === sha256) figure.outerHTML = html;
  }
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

document.addEventListener("click", ({ target }) => {
  const button = (target as HTMLElement).closest("button");
  const command = button?.dataset.command;
  if (command) vscode.postMessage({ type: "command", command, run: model.run });
  const name = button?.dataset.save;
  const sha256 = button?.closest<HTMLElement>("figure.artifact")?.dataset.sha256 ?? "";
  if (name !== undefined) vscode.postMessage({ type: "save", run: model.run, name, sha256 });
});

vscode.postMessage({ type: "ready" });
