// Fixing failing tests in a real VS Code, from the first click to the accepted diff.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowser, Editor, until } from "./harness.mts";

const BROKEN = "def add(a, b):\n    return a - b\n\n\ndef double(a):\n    return a * 2\n";
const FILES = {
  "calc.py": BROKEN,
  "test_calc.py":
    "from calc import add, double\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\ndef test_double():\n    assert double(4) == 8\n",
};
const ANSWER = "It subtracts instead of adding.\n\n```python\ndef add(a, b):\n    return a + b\n```\n";

after(closeBrowser);

test("four clicks from the palette to an accepted, proven fix", async () => {
  const editor = await Editor.open("fix", { files: FILES, script: [ANSWER] });
  let failed = true;
  try {
    await editor.openFile("calc.py");
    await editor.shot("opened");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.shot("running");
    await editor.toast("proven in a fresh sandbox").waitFor({ timeout: 60_000 });
    await editor.shot("proven");
    await editor.press("proven in a fresh sandbox", "Accept");
    await until(async () => (await editor.text()).includes("return a + b"));
    await editor.shot("accepted");
    failed = false;
  } finally {
    await editor.close(failed);
  }
});
