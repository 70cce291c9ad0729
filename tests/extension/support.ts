// Values of the wire, to be changed where a test wants to.
import type { Evidence, Observation, Review, ReviewFile, Step } from "../../vscode-extension/src/pure/wire";

export function file(change: Partial<ReviewFile> = {}): ReviewFile {
  const path = change.path ?? "a.py";
  return {
    ...{ path, uri: `file:///ws/${path}`, status: "modified", before: "one\ntwo\nthree\nfour\n", after: "x\n" },
    ...{ binary: false, added: 1, removed: 1, hunks: [] },
    ...change,
  } as ReviewFile;
}

export function review(files: [ReviewFile, ...ReviewFile[]]): Review & { files: [ReviewFile, ...ReviewFile[]] } {
  const run = "20261123-134813-t8qm";
  return {
    run,
    summary: "fixes 2 tests",
    status: "verified",
    workspace: "/ws",
    evidence: evidence(),
    state: "open",
    files,
  };
}

export function evidence(change: Partial<Evidence> = {}): Evidence {
  return {
    snapshot: "f719d26ec8a1b2c3",
    proposed: "a8d1e07c91b2c3d4",
    command: ["python", "-m", "pytest"],
    targets: ["tests/test_a.py::test_x"],
    before: { counts: { failed: 2, passed: 9 }, failing: ["tests/test_a.py::test_x"] },
    after: { counts: { passed: 11 }, failing: [] },
    regressions: [],
    environment: { backend: "bubblewrap" },
    protected: { "tests/test_a.py": "00" },
    seconds: 0.9,
    proven_at: "2026-11-23T13:50:00Z",
    verified: true,
    reasons: [],
    ...change,
  };
}

export function observation(change: Partial<Observation> = {}): Observation {
  return {
    ...{ stdout: "", stderr: "", value: "", failure: null, timed_out: false, seconds: 0.1 },
    ...{ artifacts: [], finished: null, tests: null },
    ...change,
  };
}

export function step(change: Partial<Step> = {}): Step {
  return {
    ...{ number: 1, thought: "Look at it.", action: { code: "print(1)", timeout: 60 } },
    ...{ observation: observation(), afresh: false, rung: "" },
    ...change,
  };
}
