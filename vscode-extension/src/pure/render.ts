// The entries of a run as HTML. Whatever comes from a model, a test or a sandbox is text here, never markup.
import { renderArtifact } from "./artifacts";
import { readDefinitions } from "./definitions";
import { clip, escapeHtml, stripColours } from "./escape";
import { highlight } from "./highlight";
import { renderMarkdown } from "./markdown";
import type { Entry } from "./runModel";
import { describeEvidence, describeReport, isFailing, shortTest } from "./summary";
import type { Evidence, Observation, RunEnded, Step, TestReport, TestResult } from "./wire";

const PHASES: Record<string, string> = {
  before: "Tests now",
  "proof-before": "Proof, without the change",
  "proof-after": "Proof, with the change",
  check: "Tests",
};

export function renderEntry(entry: Entry): string {
  switch (entry.kind) {
    case "note":
      return `<p class="note">${escapeHtml(entry.text)}</p>`;
    case "tests":
      return renderTests(PHASES[entry.phase] ?? "Tests", entry.report);
    case "step":
      return renderStep(entry.step);
    case "result":
      return renderResult(entry.result);
  }
}

function renderTests(title: string, report: TestReport): string {
  const failing = report.results.filter((result) => isFailing(result.outcome));
  const mark = failing.length > 0 || report.problem ? "bad" : "good";
  const output = report.problem && report.output ? renderOutput("Output", report.output) : "";
  const head = `<h2>${escapeHtml(title)}</h2><p class="${mark}">${escapeHtml(describeReport(report))}</p>`;
  return `<div class="tests">${head}${failing.slice(0, 50).map(renderFailure).join("")}${output}</div>`;
}

function renderFailure(result: TestResult): string {
  const name = `<span class="name">${escapeHtml(shortTest(result.node_id))}</span>`;
  const head = `${name} <span class="why">${escapeHtml(clip(stripColours(result.message), 300))}</span>`;
  if (!result.traceback) return `<p class="failure" title="${escapeHtml(result.node_id)}">${head}</p>`;
  const trace = `<pre tabindex="0">${escapeHtml(clip(stripColours(result.traceback)))}</pre>`;
  return `<details class="failure"><summary title="${escapeHtml(result.node_id)}">${head}</summary>${trace}</details>`;
}

function renderStep(step: Step): string {
  const afresh = step.afresh ? ' <span class="note">from a clean view</span>' : "";
  const thought = step.thought.trim() ? `<div class="thought">${renderMarkdown(step.thought)}</div>` : "";
  const { code } = step.action;
  const ran = code.trim() ? renderCode(code) + renderObservation(step.observation) : "";
  return `<div class="step"><h2>Step ${step.number}${afresh}</h2>${thought}${ran}</div>`;
}

/** What the model wrote: plain code, or the new definitions of a file. */
function renderCode(code: string): string {
  const show = (text: string, label: string) =>
    `<pre class="code" tabindex="0" role="group" aria-label="${escapeHtml(label)}">${highlight(text.trimEnd(), "python")}</pre>`;
  const definitions = readDefinitions(code);
  if (!definitions) return show(code, "Code");
  const part = (path: string, text: string) =>
    `<figure class="definition"><figcaption>New in <code>${escapeHtml(path)}</code></figcaption>${show(text, path)}</figure>`;
  return definitions.map((each) => part(each.path, each.code)).join("");
}

function renderObservation(seen: Observation): string {
  const parts = [renderOutput("Output", seen.stdout), renderOutput("Errors", seen.stderr)];
  if (seen.value) parts.push(renderOutput("Value", seen.value));
  if (seen.failure) parts.push(renderException(seen.failure));
  if (seen.timed_out) parts.push('<p class="bad">It ran out of time.</p>');
  parts.push(...seen.artifacts.map(renderArtifact));
  if (seen.tests) parts.push(renderTests("Tests", seen.tests));
  return parts.join("");
}

function renderException(failure: { type: string; message: string; traceback: string }): string {
  const head = `<summary class="bad">${escapeHtml(`${failure.type}: ${clip(failure.message, 300)}`)}</summary>`;
  return `<details class="failure">${head}<pre tabindex="0">${escapeHtml(clip(failure.traceback))}</pre></details>`;
}

function renderOutput(label: string, text: string): string {
  if (!text.trim()) return "";
  const shown = escapeHtml(clip(stripColours(text)));
  return `<figure class="output"><figcaption>${label}</figcaption><pre tabindex="0">${shown}</pre></figure>`;
}

function renderResult(result: RunEnded): string {
  const parts = [`<h2>${result.status === "answered" ? "Answer" : "Result"}</h2>`];
  if (result.answer) parts.push(`<div class="answer">${renderMarkdown(result.answer)}</div>`);
  parts.push(...(result.artifacts ?? []).map(renderArtifact));
  if (result.diff)
    parts.push(
      `<pre class="code diff" tabindex="0" role="group" aria-label="Diff">${highlight(clip(result.diff), "diff")}</pre>`,
    );
  const mark = { verified: "good", answered: "good" }[result.status as string] ?? "bad";
  if (result.message) parts.push(`<p class="verdict ${mark}">${escapeHtml(result.message)}</p>`);
  if (result.note) parts.push(`<p class="caution">${escapeHtml(result.note)}</p>`);
  if (result.evidence) parts.push(renderEvidence(result.evidence));
  if (result.usage && result.seconds !== undefined)
    parts.push(`<p class="note">${escapeHtml(describeCost(result))}</p>`);
  return `<div class="result ${result.status}">${parts.join("")}</div>`;
}

function renderEvidence(evidence: Evidence): string {
  const rows = describeEvidence(evidence).map(
    ({ label, detail }) => `<tr><th scope="row">${escapeHtml(label)}</th><td>${escapeHtml(detail)}</td></tr>`,
  );
  return `<details class="evidence"><summary>Evidence</summary><table>${rows.join("")}</table></details>`;
}

function describeCost(result: RunEnded): string {
  const usage = result.usage;
  const seconds = `${(result.seconds ?? 0).toFixed(1)} s`;
  if (!usage || usage.model_calls === 0) return result.status === "failed" ? seconds : `${seconds}, no model was asked`;
  const calls = usage.model_calls === 1 ? "1 model call" : `${usage.model_calls} model calls`;
  return `${seconds}, ${calls}, ${usage.prompt_tokens} + ${usage.completion_tokens} tokens`;
}
