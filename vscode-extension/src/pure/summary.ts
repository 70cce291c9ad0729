// Runs, tests and proofs in one line.
import type { Evidence, RunSummary, Status, Tally, Task, TestReport } from "./wire";

const FAILING = new Set(["failed", "error", "timeout", "crashed"]);

export function isFailing(outcome: string): boolean {
  return FAILING.has(outcome);
}

/** Such as `2 failed, 9 passed`. */
export function describeReport(report: TestReport): string {
  if (report.problem) return report.problem;
  const counts: Record<string, number> = {};
  for (const { outcome } of report.results) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return describeCounts(counts);
}

export function describeTally(tally: Tally): string {
  return describeCounts(tally.counts);
}

function describeCounts(counts: Record<string, number>): string {
  const rank = (outcome: string) => (isFailing(outcome) ? 0 : outcome === "passed" ? 1 : 2);
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([outcome, count]) => `${count} ${outcome}`);
  return parts.join(", ") || "no tests";
}

/** What was asked, in a few words. */
export function describeTask(task: Task | null | undefined): string {
  if (!task) return "Run";
  if (task.kind === "fix") {
    const [first, ...others] = task.tests;
    if (!first) return "Fix failing tests";
    return `Fix ${shortTest(first)}${others.length > 0 ? ` and ${others.length} more` : ""}`;
  }
  return task.instruction.trim().split("\n")[0] || (task.kind === "ask" ? "Question" : "Script");
}

/** The last part of a node id: the test, without its file and class. */
export function shortTest(nodeId: string): string {
  return nodeId.split("::").at(-1) ?? nodeId;
}

export function describeStatus(status: RunSummary["status"]): string {
  const words: Record<RunSummary["status"], string> = {
    verified: "Proven",
    unverified: "Not proven",
    answered: "Answered",
    failed: "Failed",
    cancelled: "Cancelled",
    running: "Running",
    interrupted: "Interrupted",
    damaged: "Damaged",
  };
  return words[status] ?? status;
}

/** What the proof says of itself, line by line. */
export function describeEvidence(evidence: Evidence): { label: string; detail: string }[] {
  const lines = [
    { label: "Before", detail: describeTally(evidence.before) },
    { label: "With the change", detail: describeTally(evidence.after) },
    { label: "Command", detail: evidence.command.join(" ") },
    { label: "Snapshot", detail: evidence.snapshot.slice(0, 12) },
    { label: "Proposed", detail: evidence.proposed.slice(0, 12) },
  ];
  for (const target of evidence.targets) lines.push({ label: "Fixes", detail: target });
  for (const test of evidence.regressions) lines.push({ label: "Worse", detail: test });
  for (const reason of evidence.reasons) lines.push({ label: "Not proven", detail: reason });
  const tests = Object.keys(evidence.protected).length;
  if (tests > 0) lines.push({ label: "Tests taken from the snapshot", detail: `${tests} files` });
  const environment = Object.entries(evidence.environment).map(([name, value]) => `${name} ${value}`);
  if (environment.length > 0) lines.push({ label: "In", detail: environment.join(", ") });
  if (evidence.proven_at) lines.push({ label: "Proven at", detail: evidence.proven_at });
  return lines;
}

/** Whether a proof covers what was kept, and what to say if it does not. */
export function describeCheck(evidence: Evidence): string {
  if (evidence.verified && evidence.targets.length > 0) {
    const count = evidence.targets.length;
    const left = evidence.after.failing?.length ?? 0;
    const others = left > 0 ? `; ${left} other${left > 1 ? "s" : ""} still fail${left > 1 ? "" : "s"}` : "";
    return `The rest still passes: it fixes ${count} test${count > 1 ? "s" : ""}, proven in a fresh sandbox${others}.`;
  }
  if (evidence.verified) return `The rest still passes: ${describeTally(evidence.after)}.`;
  const why = evidence.reasons[0] ?? describeTally(evidence.after);
  return `Without what you left out it is not proven: ${why}`;
}

export function isOver(status: RunSummary["status"]): status is Status | "interrupted" | "damaged" {
  return status !== "running";
}
