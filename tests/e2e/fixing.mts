// Failing tests are fixed: from wherever one meets them, with what is not saved, cancelled, and with a killed server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mts";
import { BOTH, BROKEN, FILES, PROVEN, SLOW } from "./samples.mts";
import { scenario } from "./scenario.mts";

scenario(
  "lens",
  "fix from the lens with an unsaved edit, accept all, undo",
  { files: FILES, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.type("\n# not saved");
    await editor.command("CodeAct: Find Failing Tests");
    await editor.openFile("test_calc.py");
    const lens = editor.page.locator(".codelens-decoration a", { hasText: "Fix with CodeAct" });
    await lens.first().waitFor();
    await editor.shot("lens");
    assert.equal(await lens.count(), 2);
    await editor.page.locator(".view-line", { hasText: "half(8)" }).click();
    await editor.page.keyboard.press("Control+.");
    await editor.page.locator(".action-widget", { hasText: "Fix with CodeAct" }).waitFor();
    await editor.shot("quick-fix");
    await editor.page.keyboard.press("Escape");
    await lens.first().click();
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied").waitFor();
    await editor.openFile("calc.py");
    await until(async () => (await editor.text()).includes("return a + b"));
    assert.match(await editor.text(), /# not saved/);
    await editor.shot("accepted");
    await editor.focus();
    await editor.page.keyboard.press("Control+z");
    await until(async () => (await editor.text()).includes("return a - b"));
    assert.match(await editor.text(), /# not saved/);
    assert.equal(readFileSync(join(editor.workspace, "calc.py"), "utf8"), BROKEN);
  },
);

scenario(
  "typing",
  "typing in mid-run is merged and proven again; what cannot be merged is named and left alone",
  { files: FILES, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast("CodeAct is fixing tests").waitFor();
    await editor.type("\n# typed meanwhile");
    await editor.press(PROVEN, "Accept");
    await editor.toast("Merged with your own edits").waitFor();
    await until(async () => (await editor.text()).includes("return a + b"));
    assert.match(await editor.text(), /# typed meanwhile/);
    await editor.focus();
    await editor.page.keyboard.press("Control+z");
    await until(async () => (await editor.text()).includes("return a - b"));
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast(PROVEN).waitFor();
    await editor.page.locator(".view-line", { hasText: "return a - b" }).first().click();
    await editor.page.keyboard.press("End");
    await editor.page.keyboard.type(" - 0");
    await editor.press(PROVEN, "Accept");
    await editor.toast(/calc\.py: its lines? 2 w(as|ere) edited too/).waitFor();
    await editor.shot("conflict");
    assert.match(await editor.text(), /return a - b - 0/);
    assert.match(await editor.text(), /return a \* 2/);
  },
);

scenario(
  "long",
  "typing in a long file during a run, cancel, and a killed server",
  { files: SLOW, script: [BOTH] },
  async (editor) => {
    await editor.openFile("long.py");
    await editor.command("CodeAct: Fix Failing Tests");
    const running = editor.toast("CodeAct is fixing tests");
    await running.waitFor();
    await editor.type("\n# typed while the tests run, letter by letter, into a file of 5,000 lines");
    await editor.shot("running");
    await running.getByRole("button", { name: "Cancel" }).click();
    await editor.toast("cancelled. Your files are untouched").waitFor();
    await editor.command("CodeAct: Fix Failing Tests");
    await running.waitFor();
    editor.killServer();
    await editor.toast("started again").waitFor();
    await editor.shot("killed");
    await editor.command("CodeAct: Show Runs");
    await editor.row("cancelled").waitFor();
    await editor.row("interrupted").waitFor();
    await editor.shot("runs");
    assert.equal(readFileSync(join(editor.workspace, "calc.py"), "utf8"), BROKEN);
  },
);
