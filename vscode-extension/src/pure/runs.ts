// The list of runs as the tree shows it.
import { describeStatus, describeTask } from "./summary";
import type { RunSummary, Task } from "./wire";

export interface RunRow {
  run: string;
  label: string;
  description: string;
  tooltip: string;
  icon: string;
  /** Words that menus ask for: `run`, the kind, and what can be done with its proposal. */
  context: string;
  state: string;
  workspace: string;
}

const ICONS: Record<string, string> = {
  verified: "pass",
  unverified: "warning",
  answered: "comment",
  failed: "error",
  cancelled: "circle-slash",
  running: "sync~spin",
  interrupted: "debug-disconnect",
  damaged: "warning",
  applied: "check-all",
  discarded: "trash",
  undone: "discard",
};

export function toRow(summary: RunSummary, now: Date): RunRow {
  const started = typeof summary.started === "object" ? summary.started : null;
  const task = summary.task ?? started?.task ?? null;
  const state = summary.state ?? summary.fate ?? "";
  const settled = state && state !== "open" ? state : "";
  const label = describeTask(task);
  const words = [settled || describeStatus(summary.status).toLowerCase(), ageOf(startOf(summary), now)];
  return {
    run: summary.run,
    label,
    description: words.filter(Boolean).join(" · "),
    tooltip: [label, summary.message, summary.run].filter(Boolean).join("\n"),
    icon: ICONS[settled] ?? ICONS[summary.status] ?? "circle-outline",
    context: contextOf(summary, task, settled),
    state: settled || "open",
    workspace: summary.workspace ?? started?.workspace ?? "",
  };
}

function contextOf(summary: RunSummary, task: Task | null, settled: string): string {
  const words = ["run", task?.kind ?? "unknown", summary.status];
  const mayHave = summary.status === "verified" || summary.status === "unverified";
  if (mayHave) words.push(`${settled || "open"}-proposal`);
  return words.join(" ");
}

function startOf(summary: RunSummary): string {
  const told = typeof summary.started === "string" ? summary.started : (summary.time ?? "");
  const match = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(summary.run);
  return told || (match ? `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z` : "");
}

/** Such as `5 min ago`. */
export function ageOf(time: string, now: Date): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return "";
  const minutes = Math.floor((now.getTime() - then) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / (24 * 60))} d ago`;
}
