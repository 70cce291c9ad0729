// Models: a key in the secret storage, the editor's own, the embedded one; and tests that another extension found.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BOTH, FILES, PROVEN } from "./samples.mts";
import { scenario } from "./scenario.mts";

scenario(
  "key",
  "a missing key is told and asked for; it is kept as a secret, and the next run has it",
  { files: FILES, script: [BOTH], key: "sk-right" },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast(/key/i).waitFor();
    await editor.shot("wrong-key");
    await editor.press(/key/i, "Set API Key");
    await editor.answer("sk-right");
    await editor.toast("the API key is stored").waitFor();
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast(PROVEN).waitFor();
    for (const scope of ["User", "Machine"]) {
      assert.doesNotMatch(readFileSync(join(editor.folder, "data", scope, "settings.json"), "utf8"), /sk-right/);
    }
  },
);

scenario(
  "others",
  "a model of the editor mends a test of another extension, from the Testing view and from its message",
  {
    files: FILES,
    companion: true,
    environ: { CODEACT_E2E_ANSWER: BOTH },
    settings: { "chat.disableAIFeatures": false },
  },
  async (editor) => {
    await editor.command("CodeAct: Choose Model");
    await editor.page.locator(".quick-input-list .monaco-list-row", { hasText: "Parrot" }).waitFor();
    await editor.shot("models");
    await editor.pick("Parrot");
    await editor.page.getByText("CodeAct asks Parrot from now on").first().waitFor();
    await editor.side("Testing");
    await editor.row("test_calc.py").waitFor();
    await editor.row("test_calc.py").locator(".monaco-tl-twistie").click();
    await editor.menu(editor.row("test_add"), "Fix with CodeAct");
    await editor.toast(PROVEN).waitFor();
    await editor.shot("proven");
    await editor.press(PROVEN, "Discard");
    await editor.openFile("test_calc.py");
    await editor.row("test_half").hover();
    await editor.row("test_half").locator(".action-label[aria-label^='Run Test']").click();
    const results = editor.page.locator(".part.panel");
    await results.locator(".monaco-list-row", { hasText: "assert -1 == 3" }).click();
    const message = results.getByText("Fix with CodeAct");
    await message.first().waitFor();
    await editor.shot("message");
    await message.first().dispatchEvent("click"); // one line is too low for all of the button to be seen
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied to calc.py").waitFor();
  },
);
