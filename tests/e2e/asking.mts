// Questions: from the explorer, with a chart and a table in the run view, its themes, its follow-up, its files.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./harness.mts";
import { CHART, SALES } from "./samples.mts";
import { scenario } from "./scenario.mts";

/** What a screen reader finds in the run view, by role and name. */
const READ_ALOUD = [
  ["heading", "Chart the top products"],
  ["log", "Steps"],
  ["heading", "Step 1"],
  ["group", "Code"],
  ["figure", "Output"],
  ["heading", "Answer"],
  ["img", "chart.png"],
  ["columnheader", "product"],
] as const;

scenario(
  "ask",
  "a question with a chart and a table, saved by a click, closed and opened again, with a follow-up",
  { files: SALES, script: [CHART, "**Coffee** leads with 9, see sales.csv:3.", "By two."] },
  async (editor) => {
    await editor.menu(editor.row("sales.csv"), "Ask CodeAct");
    await editor.answer("Chart the top products");
    const view = editor.view();
    await view.getByText("leads with 9").first().waitFor();
    await view.locator("figure.artifact img").first().waitFor();
    await view.locator("td", { hasText: "coffee" }).first().waitFor();
    await editor.shot("answer");
    for (const [role, name] of READ_ALOUD) await view.getByRole(role, { name }).first().waitFor();
    await view.getByRole("button", { name: "Save top.csv" }).first().click();
    await editor.answer(join(editor.workspace, "top.csv"));
    await editor.toast("saved").waitFor();
    assert.equal(readFileSync(join(editor.workspace, "top.csv"), "utf8"), "product,sum\ntea,7\ncoffee,9\n");
    await editor.page.locator(".tab", { hasText: "CodeAct: Ask" }).click({ button: "middle" });
    await editor.command("CodeAct: Show Runs");
    await editor.row("Chart the top products").click();
    await view.locator("figure.artifact img").first().waitFor();
    for (const theme of ["light", "contrast"] as const) {
      editor.theme(theme);
      await view.locator(`body.vscode-${theme === "light" ? "light" : "high-contrast"}`).waitFor();
      await editor.shot(theme);
    }
    await view.getByRole("button", { name: "Ask a Follow-up" }).click();
    await editor.answer("By how much?");
    await until(async () => (await view.locator("#title").textContent()) === "By how much?");
    await view.getByText("By two.").first().waitFor();
    await editor.shot("follow-up");
  },
);
