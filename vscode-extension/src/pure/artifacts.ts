// What a run made beside its answer: pictures inline, tables as tables, everything else as text or as a name.
import { base64Of, clip, escapeHtml, textOf } from "./escape";
import { highlight } from "./highlight";
import { renderMarkdown } from "./markdown";
import { renderTable } from "./table";
import type { Artifact, RunEvent } from "./wire";

// As the source of an <img>, none of these runs scripts or loads anything, SVG included.
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"]);

export function renderArtifact(artifact: Artifact): string {
  const name = escapeHtml(artifact.name);
  const place = `data-sha256="${escapeHtml(artifact.data.sha256 ?? "")}"`;
  const save = `<button class="quiet" data-save="${name}" aria-label="Save ${name}">Save…</button>`;
  return `<figure class="artifact" ${place}><figcaption>${name}${save}</figcaption>${renderContent(artifact)}</figure>`;
}

/** The last of a run's artifacts with this name, and with this hash if there is one. */
export function findArtifact(events: readonly RunEvent[], name: string, sha256: string): Artifact | undefined {
  const all = events.flatMap((event) => {
    if (event.event === "step") return event.step.observation.artifacts;
    return event.event === "result" ? (event.artifacts ?? []) : [];
  });
  return all.findLast((each) => each.name === name && (each.data.sha256 ?? "") === sha256);
}

function renderContent(artifact: Artifact): string {
  const kind = (artifact.media_type.split(";")[0] ?? "").trim().toLowerCase();
  if (PICTURES.has(kind)) {
    const data = base64Of(artifact.data);
    if (data === undefined) return '<p class="note">Loading…</p>';
    return `<img src="data:${kind};base64,${escapeHtml(data)}" alt="${escapeHtml(artifact.name)}">`;
  }
  const text = textOf(artifact.data);
  if (text === undefined) {
    return `<p class="note">${artifact.data.sha256 ? "Loading…" : escapeHtml(artifact.media_type)}</p>`;
  }
  if (kind === "text/csv") return renderTable(text);
  if (kind === "text/tab-separated-values") return renderTable(text, "\t");
  if (kind === "text/markdown") return renderMarkdown(text);
  const language = kind === "application/json" ? "json" : kind === "text/x-python" ? "python" : "";
  return `<pre tabindex="0">${highlight(clip(text), language)}</pre>`;
}
