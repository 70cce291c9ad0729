// The events of a run become what the run view shows. Entries are only ever appended.
import { describeTask } from "./summary";
import type { Cause, Diagnosis, RunEnded, RunEvent, Status, Step, Suspect, TestReport } from "./wire";

export type Entry =
  | { kind: "note"; text: string }
  | { kind: "tests"; phase: string; report: TestReport }
  | { kind: "step"; step: Step }
  | { kind: "result"; result: RunEnded };

export interface RunModel {
  run: string;
  title: string;
  /** The folder's path. */
  workspace: string;
  /** Such as the folder, the snapshot and the model. */
  facts: readonly string[];
  /** The model that was chosen; empty if there was none. */
  model: string;
  status: Status | "running";
  /** What is being done now. */
  activity: string;
  /** What the model is writing now. */
  live: string;
  entries: readonly Entry[];
}

export const EMPTY: RunModel = {
  run: "",
  title: "CodeAct",
  workspace: "",
  facts: [],
  model: "",
  status: "running",
  activity: "Starting…",
  live: "",
  entries: [],
};

export function reduce(model: RunModel, event: RunEvent): RunModel {
  switch (event.event) {
    case "started": {
      const place = event.workspace.split(/[\\/]/).at(-1) ?? event.workspace;
      const facts = [place, event.model, event.sandbox].filter((fact) => fact !== undefined && fact !== "");
      const { run, task, workspace } = event;
      return { ...EMPTY, run, title: describeTask(task), workspace, facts: facts as string[] };
    }
    case "progress":
      return { ...model, activity: event.message };
    case "snapshot": {
      const facts = [...model.facts, `${event.files} files at ${event.tree.slice(0, 10)}`];
      const text = describeLeftOut(event.left_out.map((out) => out.path));
      return text ? { ...append(model, { kind: "note", text }), facts } : { ...model, facts };
    }
    case "chosen":
      return { ...model, facts: [...model.facts, event.name], model: event.name };
    case "packages":
      return append(model, { kind: "note", text: `Fetched ${event.pins.join(", ")} for ${event.module}` });
    case "triaged":
      return event.diagnoses.filter((found) => found.kind !== "real").reduce(noteDiagnosis, model);
    case "recalled":
      return append(model, {
        kind: "note",
        text: `Edits come in an order that earlier fixes suggest: ${event.lessons.map((lesson) => lesson.what).join(", ")}`,
      });
    case "grouped":
      return append(model, { kind: "note", text: describeCauses(event.causes) });
    case "tried":
      return append(model, { kind: "note", text: describeTried(event.number, event.mended, event.left) });
    case "localised":
      return event.suspects.length === 0
        ? model
        : append(model, { kind: "note", text: describeSuspects(event.suspects) });
    case "tests":
      return append(model, { kind: "tests", phase: event.phase, report: event.report });
    case "text":
      return { ...model, live: (model.live + event.text).slice(-20_000) };
    case "model":
      return { ...model, live: "" };
    case "step":
      return { ...append(model, { kind: "step", step: event.step }), live: "", activity: `Step ${event.step.number}` };
    case "result":
      return { ...append(model, { kind: "result", result: event }), live: "", status: event.status, activity: "" };
    default:
      return model; // an event of a newer server
  }
}

function noteDiagnosis(model: RunModel, found: Diagnosis): RunModel {
  return append(model, { kind: "note", text: `${found.node_id}: ${found.kind}. ${found.detail}` });
}

function describeCauses(causes: readonly Cause[]): string {
  const shown = causes.slice(0, 5).map(({ tests, path, name, error }) => {
    const place = `${path} ${name}`.trim() || error;
    return `${place} (${tests.length} test${tests.length === 1 ? "" : "s"})`;
  });
  const more = causes.length > shown.length ? `, and ${causes.length - shown.length} more` : "";
  return `${causes.length} likely cause${causes.length === 1 ? "" : "s"}: ${shown.join(", ")}${more}`;
}

function describeTried(number: number, mended: readonly string[], left: readonly string[]): string {
  const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
  const still = left.length > 0 ? `; still failing: ${left.slice(0, 3).join(", ")}${more}` : "";
  return `Cause ${number}: ${mended.length} of ${mended.length + left.length} mended${still}`;
}

function describeSuspects(suspects: readonly Suspect[]): string {
  const shown = suspects.slice(0, 3).map((found) => `${found.path}:${found.line} ${found.name}`.trimEnd());
  return `Suspects: ${shown.join(", ")}`;
}

function append(model: RunModel, entry: Entry): RunModel {
  return { ...model, entries: [...model.entries, entry] };
}

function describeLeftOut(paths: readonly string[]): string {
  if (paths.length === 0) return "";
  return `Left out of the snapshot, since ${paths.length > 1 ? "they" : "it"} may hold secrets: ${paths.join(", ")}`;
}
