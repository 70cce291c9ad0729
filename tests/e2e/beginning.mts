// First minutes: only the packed extension, a folder it has not seen, the example; trust, doctor, several folders.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PATIENCE, TOP, until } from "./harness.mts";
import { BOTH, BROKEN, FILES, PROVEN } from "./samples.mts";
import { scenario } from "./scenario.mts";

scenario(
  "nosandbox",
  "without a sandbox nothing runs, and the doctor is offered; the size of a model is told before its download",
  {
    files: FILES,
    settings: { "codeact.sandbox.backend": "docker" },
    environ: { DOCKER_HOST: "unix:///nowhere.sock" },
  },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast(/docker/i).waitFor();
    await editor.shot("no-sandbox");
    await editor.press(/docker/i, "Doctor");
    await editor.page.getByText("bubblewrap").first().waitFor();
    await editor.shot("doctor");
    await editor.page.keyboard.press("Escape");
    await editor.command("CodeAct: Download Embedded Model");
    const dialog = editor.page.locator(".monaco-dialog-box");
    await dialog.getByRole("button", { name: "Download 1.1 GB" }).waitFor();
    await editor.shot("size");
    await dialog.getByRole("button", { name: "Cancel" }).click();
  },
);

scenario(
  "folders",
  "nothing runs in folders that are not trusted; with several, the one that is meant is asked for",
  {
    files: { "one/calc.py": BROKEN, "two/calc.py": BROKEN, "two/test_calc.py": FILES["test_calc.py"] },
    folders: ["one", "two"],
    script: [BOTH],
    trust: true,
  },
  async (editor) => {
    await editor.side("CodeAct");
    await editor.page.getByText("starts nothing in a folder you do not trust").waitFor();
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast("not trusted").waitFor();
    await editor.shot("untrusted");
    assert.equal(existsSync(join(editor.folder, "state", "runs")), false);
    await editor.trust();
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.pick("two");
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied to calc.py").waitFor();
    await editor.shot("applied");
    assert.equal(readFileSync(join(editor.workspace, "one", "calc.py"), "utf8"), BROKEN);
  },
);

const CODEACT = join(TOP, ".venv", "bin", "codeact");
const EMBEDDED = spawnSync(CODEACT, ["model", "list"], { encoding: "utf8" }).stdout.includes("\tinstalled\t");
const CACHE = process.env.CODEACT_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "codeact");

scenario(
  "first",
  "with only the extension: clicks and no typing to a proven fix, then the walkthrough's example with the embedded model",
  {
    files: FILES,
    script: [BOTH],
    trust: true,
    packed: true,
    ...(EMBEDDED ? { environ: { CODEACT_CACHE_DIR: CACHE } } : {}),
  },
  async (editor) => {
    await editor.trust();
    const welcome = editor.page.locator(".welcome-view-content");
    await welcome.getByRole("button", { name: "Fix Failing Tests" }).waitFor();
    await editor.shot("welcome");
    await welcome.getByRole("button", { name: "Fix Failing Tests" }).click();
    await editor.toast("Setting up CodeAct").waitFor();
    await editor.shot("setting-up");
    await editor.toast(PROVEN).waitFor({ timeout: 4 * PATIENCE });
    await editor.shot("proven");
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied to calc.py").waitFor();
    await editor.shot("accepted");
    await until(() => editor.logged(/activated in|server was ready/).split("\n").length > 1);
    console.log(editor.logged(/activated in|server was ready/));

    await editor.command("CodeAct: Get Started");
    const steps = editor.page.locator(".gettingStartedContainer .getting-started-step");
    await steps.first().waitFor();
    await editor.shot("walkthrough");
    if (EMBEDDED) editor.configure({ "codeact.model.name": "local", "codeact.model.baseUrl": undefined });
    const opened = editor.page.context().waitForEvent("page");
    await editor.page
      .locator(".getting-started-step.expanded .button-link, .getting-started-step.expanded .monaco-button")
      .first()
      .click();
    editor.page = await opened;
    await editor.ready();
    await editor.trust();
    await editor.page.locator(".getting-started-step.expanded", { hasText: "Fix failing tests" }).waitFor();
    await editor.shot("example");
    if (!EMBEDDED) return; // `codeact model pull` has not brought it
    await editor.page
      .locator(".getting-started-step.expanded")
      .getByRole("button", { name: "Fix Failing Tests" })
      .click();
    await editor.toast(PROVEN).waitFor({ timeout: 4 * PATIENCE });
    await editor.shot("mended");
    assert.match(await editor.view().locator("#facts").textContent(), /local/);
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied to").waitFor();
  },
);
