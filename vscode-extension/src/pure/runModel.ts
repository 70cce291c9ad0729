// The events of a run become what the run view shows. Entries are only ever appended.
import { describeTask } from "./summary";
import type { RunEnded, RunEvent, Status, Step, TestReport } from "./wire";

export type Entry =
  | { kind: "note"; text: string }
  | { kind: "tests"; phase: string; report: TestReport }
  | { kind: "step"; step: Step }
  | { kind: "result"; result: RunEnded };

export interface RunModel {
  run: string;
  title: string;
  /** Such as the model, the sandbox and the folder. */
  facts: readonly string[];
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
  facts: [],
  status: "running",
  activity: "Starting…",
  live: "",
  entries: [],
};

export function reduce(model: RunModel, event: RunEvent): RunModel {
  switch (event.event) {
    case "started": {
      const facts = [event.model, event.sandbox, event.workspace].filter((fact) => fact !== undefined && fact !== "");
      return { ...EMPTY, run: event.run, title: describeTask(event.task), facts: facts as string[] };
    }
    case "progress":
      return { ...model, activity: event.message };
    case "snapshot":
      return append(model, { kind: "note", text: describeSnapshot(event) });
    case "chosen":
      return append(model, { kind: "note", text: `Asking ${event.name}` });
    case "packages":
      return append(model, { kind: "note", text: `Fetched ${event.pins.join(", ")} for ${event.module}` });
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

function append(model: RunModel, entry: Entry): RunModel {
  return { ...model, entries: [...model.entries, entry] };
}

function describeSnapshot(event: { files: number; tree: string; left_out: { path: string }[] }): string {
  const left = event.left_out.length;
  const without =
    left > 0 ? `, without ${left} that may hold secrets: ${event.left_out.map((out) => out.path).join(", ")}` : "";
  return `Snapshot ${event.tree.slice(0, 10)} · ${event.files} files${without}`;
}
