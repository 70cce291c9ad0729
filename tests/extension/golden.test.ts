// The server's messages, as its own tests have fixed them, are what this extension takes them for.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EMPTY, reduce } from "../../vscode-extension/src/pure/runModel";
import type { Review, RunEnded, RunEvent } from "../../vscode-extension/src/pure/wire";

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(join(__dirname, "..", "golden", `${name}.json`), "ascii")) as T;
}

describe("the server's messages", () => {
  it("become a run view, event by event", () => {
    const names = [
      "started",
      "progress",
      "snapshot",
      "tests",
      "triaged",
      "recalled",
      "grouped",
      "localised",
      "tried",
      "packages",
      "chosen",
      "text",
      "step",
      "result",
    ];
    const model = names.map((name) => golden<RunEvent>(`event-${name}`)).reduce(reduce, EMPTY);
    expect(model.run).toBe("20261123-120000-a7bc");
    expect(model.status).toBe("verified");
    expect(model.entries.map((entry) => entry.kind)).toEqual([
      "note",
      "tests",
      "note",
      "note",
      "note",
      "note",
      "note",
      "note",
      "step",
      "result",
    ]);
    expect(model.facts).toEqual(["shop", "3 files at 1111111111", "local:qwen"]);
  });

  it("are the same when a run is read again", () => {
    const shown = golden<{ run: string; events: RunEvent[] }>("answer-show");
    const model = shown.events.reduce(reduce, EMPTY);
    expect(model.run).toBe(shown.run);
    expect(model.status).toBe("verified");
    expect(shown.events.every((event) => event.run === shown.run)).toBe(true);
  });

  it("hold bytes as text or Base64", () => {
    const [artifact] = golden<RunEnded>("event-result").artifacts ?? [];
    expect(artifact?.data).toEqual({ text: "a,1\n" });
    const step = golden<{ step: { observation: { artifacts: { data: object }[] } } }>("event-step").step;
    expect(step.observation.artifacts[0]?.data).toEqual({ base64: "iVBORw==" });
  });

  it("make a review", () => {
    const review = golden<Review>("answer-review");
    expect(review.state).toBe("open");
    expect(review.files.map((file) => [file.path, file.status, file.binary])).toEqual([
      ["calc.py", "modified", false],
      ["logo.png", "added", true],
    ]);
    expect(review.files[0]?.hunks[0]).toMatchObject({ id: "calc.py#1", old_start: 2, old: "    return a - b\n" });
  });
});
