import { describe, expect, test } from "vitest";
import manifest from "../../vscode-extension/package.json";
import { type Key, PLACES, toInitializationOptions } from "../../vscode-extension/src/pure/options";
import { explainSetUpFailure, parseProbe, pythonNames } from "../../vscode-extension/src/pure/python";
import { MOST, RestartPolicy } from "../../vscode-extension/src/pure/restart";

describe("finding a Python", () => {
  test("one that is new enough is taken, with the interpreter behind a virtual environment", () => {
    expect(parseProbe('["/usr/bin/python3", [3, 11, 2], true]\n')).toEqual({
      ...{ path: "/usr/bin/python3", version: "3.11.2", hasVenv: true },
    });
  });

  test.each(['["/usr/bin/python3", [3, 10, 9], true]', '["p", [2, 7, 18], false]', "", "Python 3", "null", "[]"])(
    "%j is none",
    (output) => {
      expect(parseProbe(output)).toBeUndefined();
    },
  );

  test("python3 comes first, then the newest, and nothing that is not an interpreter", () => {
    const files = ["python3.9", "python3.11", "python3.13", "python3", "python3-config", "python3.12-config", "ls"];
    expect(pythonNames(files)).toEqual(["python3", "python3.13", "python3.11"]);
  });

  test.each([
    ["Error: ensurepip is not available", /python3-venv/],
    ["NewConnectionError: Temporary failure in name resolution", /network is away/],
    ["OSError: [Errno 28] No space left on device", /disk is full/],
    ["ERROR: No matching distribution found for xllamacpp", /does not exist for this machine/],
    ["Traceback", /log tells why/],
  ])("%s is explained", (output, expected) => {
    expect(explainSetUpFailure(output)).toMatch(expected);
  });
});

describe("a server that ends by itself", () => {
  test("is started again three times, not a fourth", () => {
    const policy = new RestartPolicy();
    const answers = [0, 1, 2, 3].map((second) => policy.mayRestart(second * 1000));
    expect(answers).toEqual([true, true, true, false]);
    expect(MOST).toBe(3);
  });

  test("counts anew after five minutes, and when the developer starts it", () => {
    const policy = new RestartPolicy();
    for (const second of [0, 1, 2, 3]) policy.mayRestart(second * 1000);
    expect(policy.mayRestart(6 * 60 * 1000)).toBe(true);
    for (const second of [1, 2, 3]) policy.mayRestart((360 + second) * 1000);
    policy.forget();
    expect(policy.mayRestart(364_000)).toBe(true);
  });
});

describe("settings for the server", () => {
  test("only what the user has set is sent, under the server's names", () => {
    const set = new Map<Key, string | number>([
      ["model.name", "local"],
      ["sandbox.backend", "docker"],
      ["sandbox.runtime", "runsc"],
      ["budget.maxSteps", 5],
      ["packages", "never"],
    ]);
    expect(toInitializationOptions(set)).toEqual({
      ...{ model: { name: "local" }, sandbox: { backend: "docker", runtime: "runsc" }, budget: { max_steps: 5 } },
      ...{ packages: "never", events: true },
    });
  });

  test("the key goes along, and nothing else when nothing is set", () => {
    expect(toInitializationOptions(new Map(), "sk-1")).toEqual({ model: { api_key: "sk-1" }, events: true });
  });

  test("each of them can be set in the editor, and nothing that the editor offers is left out", () => {
    const own = /^codeact\.(model\.editorModel|runView|review|server|trace)/; // the extension's own business
    const offered = manifest.contributes.configuration.flatMap((section) => Object.keys(section.properties));
    const sent = offered.filter((name) => !own.test(name)).map((name) => name.replace("codeact.", ""));
    expect(sent.sort()).toEqual(Object.keys(PLACES).sort());
  });
});
