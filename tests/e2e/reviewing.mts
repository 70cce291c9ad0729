// A proposal is reviewed: in part, with a new proof; with new, deleted and renamed files; taken back from Runs.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mts";
import { BOTH, FILES, PROVEN, RENAME, SCRIPT } from "./samples.mts";
import { scenario } from "./scenario.mts";

scenario(
  "part",
  "accept a part, proven again; verify it and take it back from Runs",
  { files: FILES, script: [BOTH], theme: "light" },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.press(PROVEN, "Review");
    const boxes = editor.page.locator(".pane-body .monaco-list-row .monaco-checkbox");
    await until(async () => (await boxes.count()) >= 3);
    await editor.page.locator(".multiDiffEntry").first().waitFor();
    await editor.shot("review");
    await boxes.nth(2).click();
    await editor.page.getByText("The rest still passes: it fixes 1 test").first().waitFor();
    await editor.shot("left-out");
    await editor.page.locator(".editor-actions .action-label[aria-label='Accept Selected']").first().click();
    await editor.toast("Applied to calc.py").waitFor();
    await until(async () => !(await editor.page.locator(".multiDiffEntry").first().isVisible()));
    await editor.openFile("calc.py");
    await until(async () => (await editor.text()).includes("return a + b"));
    assert.match(await editor.text(), /return a \* 2/);
    await editor.shot("accepted");
    await editor.menu(editor.row("Fix failing tests"), "Verify Run");
    await editor.toast("proven again").waitFor();
    await editor.menu(editor.row("Fix failing tests"), "Undo Accepted Proposal");
    await until(async () => (await editor.text()).includes("return a - b"));
    await editor.row("undone").waitFor();
    await editor.shot("undone");
  },
);

scenario(
  "files",
  "new, deleted and renamed files are accepted as one edit; a new script too",
  {
    files: { ...FILES, "old.txt": "old\n", "plan.txt": "# Plan\n" },
    script: [RENAME, "The plan is Markdown now.", SCRIPT],
  },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Ask CodeAct");
    await editor.answer("Make the plan Markdown, and tidy up");
    await editor.press("all 3 tests end as before", "Review");
    await until(async () => (await editor.page.locator(".pane-body .monaco-list-row .monaco-checkbox").count()) >= 4);
    await editor.shot("review");
    await editor.command("CodeAct: Accept Proposal");
    await editor.toast("Applied to 4 files").waitFor();
    await until(() => existsSync(join(editor.workspace, "plan.md")) && !existsSync(join(editor.workspace, "plan.txt")));
    assert.equal(existsSync(join(editor.workspace, "old.txt")), false);
    await editor.shot("accepted");
    await editor.press("Applied to 4 files", "Undo");
    await until(() => existsSync(join(editor.workspace, "plan.txt")) && existsSync(join(editor.workspace, "old.txt")));
    assert.equal(existsSync(join(editor.workspace, "plan.md")), false);
    assert.equal(readFileSync(join(editor.workspace, "old.txt"), "utf8"), "old\n");
    await editor.command("CodeAct: Write Automation Script");
    await editor.answer("List the module names in NAMES.txt");
    await editor.press(/runs, and does the same again/, "Accept");
    await until(() => existsSync(join(editor.workspace, "NAMES.txt")));
    await editor.shot("script");
  },
);
