import { describe, expect, test } from "vitest";
import { toTurns } from "../../vscode-extension/src/pure/chat";
import { describeResult } from "../../vscode-extension/src/pure/chatText";
import { EMPTY, reduce } from "../../vscode-extension/src/pure/runModel";
import { ageOf, toRow } from "../../vscode-extension/src/pure/runs";
import { describeEvidence, describeReport, describeTask } from "../../vscode-extension/src/pure/summary";
import { actionsFor, readMessage } from "../../vscode-extension/src/pure/viewMessages";
import type { RunEvent, RunSummary, Status } from "../../vscode-extension/src/pure/wire";
import { evidence, step } from "./support";

const TASK = { kind: "fix" as const, instruction: "", tests: ["tests/test_a.py::test_x", "tests/test_a.py::test_y"] };
const STARTED: RunEvent = {
  event: "started",
  run: "r1",
  task: TASK,
  workspace: "/ws",
  model: "m",
  sandbox: "bubblewrap",
};
const REPORT = { command: ["pytest"], results: [], exit_code: 0, seconds: 1, problem: "", output: "" };
const result = (status: Status, more: object = {}): RunEvent => ({
  ...{ event: "result", run: "r1", status, message: "done", ...more },
});

describe("the events of a run", () => {
  const events: RunEvent[] = [
    STARTED,
    { event: "progress", message: "running the tests" },
    { event: "snapshot", tree: "f719d26ec8aa", files: 8, left_out: [{ path: ".env", reason: "secret" }] },
    { event: "tests", phase: "before", report: REPORT },
    { event: "text", text: "I thi" },
    { event: "text", text: "nk" },
  ];

  test("become a title, facts, an activity, entries, and what the model is writing", () => {
    const model = events.reduce(reduce, EMPTY);
    expect(model.title).toBe("Fix test_x and 1 more");
    expect(model.facts).toEqual(["ws", "m", "bubblewrap", "8 files at f719d26ec8"]);
    expect(model.workspace).toBe("/ws");
    expect(model.activity).toBe("running the tests");
    expect(model.live).toBe("I think");
    expect(model.entries.map((entry) => entry.kind)).toEqual(["note", "tests"]);
    expect(model.entries[0]).toEqual({
      kind: "note",
      text: "Left out of the snapshot, since it may hold secrets: .env",
    });
  });

  test("only ever append entries: those that were there stay the same", () => {
    const before = events.reduce(reduce, EMPTY);
    const after = [{ event: "step", step: step() } as RunEvent, result("verified")].reduce(reduce, before);
    expect(after.entries.slice(0, before.entries.length)).toEqual(before.entries);
    expect(after.live).toBe("");
    expect(after.status).toBe("verified");
  });

  test("tell the likely causes, and what became of each", () => {
    const cause = {
      number: 1,
      tests: ["t::a", "t::b"],
      path: "cart.py",
      line: 12,
      name: "total",
      error: "KeyError: 1",
    };
    const lost = { number: 2, tests: ["u"], path: "", line: 0, name: "", error: "No module named 'x'" };
    const model = [
      { event: "grouped", causes: [cause, lost] } as RunEvent,
      { event: "tried", number: 1, mended: ["t::a", "t::b"], left: [] } as RunEvent,
      { event: "tried", number: 2, mended: [], left: ["u", "v", "w", "x"] } as RunEvent,
    ].reduce(reduce, EMPTY);
    expect(model.entries.map((entry) => entry.kind === "note" && entry.text)).toEqual([
      "2 likely causes: cart.py total (2 tests), No module named 'x' (1 test)",
      "Cause 1: 2 of 2 mended",
      "Cause 2: 0 of 4 mended; still failing: u, v, w and 1 more",
    ]);
  });

  test("of a newer server do no harm", () => {
    expect(reduce(EMPTY, { event: "news" } as never)).toBe(EMPTY);
  });
});

describe("what the run view offers", () => {
  const labels = (event: RunEvent | undefined, state = "open") => {
    const model = [STARTED, ...(event ? [event] : [])].reduce(reduce, EMPTY);
    return actionsFor(model, state).map((action) => action.label);
  };

  test("a running run can be cancelled, a proven one accepted, an accepted one undone", () => {
    expect(labels(undefined)).toEqual(["Cancel"]);
    expect(labels(result("verified", { diff: "-a" }))).toEqual(["Accept", "Review", "Discard"]);
    expect(labels(result("verified", { diff: "-a" }), "applied")).toEqual(["Undo", "Review"]);
    expect(labels(result("verified", { diff: "-a" }), "discarded")).toEqual([]);
  });

  test("what is not proven cannot be accepted, an answer can be asked about", () => {
    expect(labels(result("unverified", { diff: "-a" }))).toEqual(["Review", "Discard"]);
    expect(labels(result("answered", { answer: "42" }))).toEqual(["Ask a Follow-up…"]);
    expect(labels(result("failed"))).toEqual([]);
  });

  test("a fix that no model was asked for offers to choose one, other notes do not", () => {
    const ended = result("verified", { diff: "-a", note: "No model was asked: none is here." });
    expect(labels(ended)).toEqual(["Accept", "Review", "Discard", "Choose Model…"]);
    const chosen: RunEvent = { event: "chosen", name: "local:qwen", context: 8192 };
    const compared = result("verified", { diff: "-a", note: "2 edits pass." });
    const model = [STARTED, chosen, compared].reduce(reduce, EMPTY);
    expect(actionsFor(model, "open").map((action) => action.label)).toEqual(["Accept", "Review", "Discard"]);
  });

  test("messages of the page count only if they are known", () => {
    expect(readMessage({ type: "command", command: "acceptRun", run: "r1" })).toEqual({
      ...{ type: "command", command: "acceptRun", run: "r1" },
    });
    for (const odd of [null, 1, "x", {}, { type: "command", command: "workbench.action.quit" }, { type: "artifact" }]) {
      expect(readMessage(odd)).toBeUndefined();
    }
    expect(readMessage({ type: "artifact", run: "r", sha256: "../../etc" })).toBeUndefined();
  });
});

describe("the list of runs", () => {
  const now = new Date("2026-11-23T14:00:00Z");
  const summary: RunSummary = { run: "20261123-134813-t8qm", status: "verified", message: "fixes 2 tests", task: TASK };

  test("a row tells the task, the status and the age, and menus what can be done", () => {
    expect(toRow(summary, now)).toMatchObject({
      ...{ label: "Fix test_x and 1 more", description: "proven · 11 min ago", icon: "pass" },
      ...{ context: "run fix verified open-proposal", state: "open" },
    });
  });

  test("the start may be an event or a time, and the fate may have either name", () => {
    const started = { event: "started" as const, run: "r", task: TASK, workspace: "/ws" };
    const row = toRow({ run: "r", status: "verified", message: "", started, fate: "applied" }, now);
    expect(row).toMatchObject({ workspace: "/ws", state: "applied", context: "run fix verified applied-proposal" });
    expect(toRow({ ...summary, started: "2026-11-23T13:00:00Z", state: "discarded" }, now)).toMatchObject({
      description: "discarded · 1 h ago",
    });
  });

  test("a run that crashed before it could say anything is listed too", () => {
    const row = toRow({ run: "odd", status: "damaged", message: "No.", started: null }, now);
    expect(row).toMatchObject({ label: "Run", description: "damaged", context: "run unknown damaged" });
  });

  test.each([
    ["2026-11-23T13:59:40Z", "just now"],
    ["2026-11-23T13:01:00Z", "59 min ago"],
    ["2026-11-22T15:00:00Z", "23 h ago"],
    ["2026-11-20T13:00:00Z", "3 d ago"],
    ["nonsense", ""],
  ])("%s is %s", (time, age) => {
    expect(ageOf(time, now)).toBe(age);
  });
});

describe("in one line", () => {
  test("a report counts what failed first", () => {
    const outcomes = ["passed", "skipped", "failed", "passed", "error"];
    const results = outcomes.map((outcome) => ({ node_id: "t", outcome, seconds: 0, message: "", traceback: "" }));
    expect(describeReport({ ...REPORT, results })).toBe("1 failed, 1 error, 2 passed, 1 skipped");
    expect(describeReport(REPORT)).toBe("no tests");
    expect(describeReport({ ...REPORT, problem: "pytest is missing." })).toBe("pytest is missing.");
  });

  test("a task is told by its test or its first line", () => {
    expect(describeTask({ kind: "fix", instruction: "", tests: [] })).toBe("Fix failing tests");
    expect(describeTask({ kind: "ask", instruction: "Why?\nTell me.", tests: [] })).toBe("Why?");
    expect(describeTask(null)).toBe("Run");
  });

  test("a proof tells both sides, its targets and its reasons", () => {
    const lines = describeEvidence(evidence({ reasons: ["It is worse."], regressions: ["t.py::test_b"] }));
    expect(lines).toContainEqual({ label: "Before", detail: "2 failed, 9 passed" });
    expect(lines).toContainEqual({ label: "With the change", detail: "11 passed" });
    expect(lines).toContainEqual({ label: "Worse", detail: "t.py::test_b" });
    expect(lines).toContainEqual({ label: "Not proven", detail: "It is worse." });
  });
});

describe("the chat", () => {
  test("turns of one speaker in a row are joined, and the system speaks as the user", () => {
    expect(
      toTurns([
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi." },
        { role: "assistant", content: "Yes?" },
      ]),
    ).toEqual([
      { role: "user", content: "Be brief.\n\nHi." },
      { role: "assistant", content: "Yes?" },
    ]);
  });

  test("a diff that holds a fence does not break out of its own", () => {
    const text = describeResult({ event: "result", run: "r", status: "verified", message: "ok", diff: "+```\n" });
    expect(text).toBe("**ok**\n\n````diff\n+```\n````");
  });
});
