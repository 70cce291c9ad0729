// What a developer does with CodeAct in a real VS Code, and what they see when something is wrong.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, Editor, type Options, TOP, until } from "./harness.mts";

const BROKEN = "def add(a, b):\n    return a - b\n\n\ndef half(a):\n    return a * 2\n\n\ndef same(a):\n    return a\n";
const TESTS =
  "from calc import add, half, same\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n" +
  "def test_half():\n    assert half(8) == 4\n\n\ndef test_same():\n    assert same(1) == 1\n";
const FILES = { "calc.py": BROKEN, "test_calc.py": TESTS };
const BOTH =
  "It subtracts, and it doubles.\n\n```python\ndef add(a, b):\n    return a + b\n\n\ndef half(a):\n    return a / 2\n```\n";
const PROVEN = "proven in a fresh sandbox";
const CHART =
  "I add it up and draw it.\n\n```python\nimport struct, zlib\n\n" +
  "def chunk(kind, data):\n    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\n\n" +
  "row = b'\\0' + b'\\x2a\\x6f\\xdb' * 80\n" +
  "png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 80, 40, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(row * 40)) + chunk(b'IEND', b'')\n" +
  "open('chart.png', 'wb').write(png)\nopen('top.csv', 'w').write('product,sum\\ntea,7\\ncoffee,9\\n')\nprint('coffee 9, tea 7')\n```\n";
const SCRIPT =
  "```python\nimport argparse\nfrom pathlib import Path\n\n\ndef main():\n    parser = argparse.ArgumentParser()\n" +
  "    parser.add_argument('--dry-run', action='store_true')\n    options = parser.parse_args()\n" +
  "    print('would write' if options.dry_run else 'writes', 'NAMES.txt')\n    if not options.dry_run:\n" +
  "        Path('NAMES.txt').write_text('calc.py\\n')\n\n\nif __name__ == '__main__':\n    main()\n```\n";

after(closeBrowser);

/** A test of its own editor. Real editors have their moods: what fails is tried once more, and said. */
function scenario(name: string, title: string, options: Options, act: (editor: Editor) => Promise<void>): void {
  test(title, async () => {
    for (const last of [false, true]) {
      const editor = await Editor.open(name, options);
      let failed = true;
      try {
        await act(editor);
        failed = false;
        return;
      } catch (error) {
        if (last) throw error;
        console.log(`${title}: tried once more after ${String(error).split("\n")[0]}`);
      } finally {
        await editor.close(failed);
      }
    }
  });
}

async function addToFile(editor: Editor, text: string): Promise<void> {
  await editor.page.locator(".editor-group-container").first().locator(".view-lines").click();
  await editor.page.keyboard.press("Control+End");
  await editor.page.keyboard.type(text);
}

async function focusEditor(editor: Editor): Promise<void> {
  await editor.page.locator(".editor-group-container").first().locator(".view-lines").click();
}

scenario(
  "fix",
  "four clicks from the palette to an accepted, proven fix",
  { files: FILES, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast(PROVEN).waitFor({ timeout: 60_000 });
    await editor.shot("proven");
    await editor.press(PROVEN, "Accept");
    await until(async () => (await editor.text()).includes("return a + b"));
    await editor.shot("accepted");
    console.log(editor.logged(/activated in|server was ready/));
  },
);

scenario(
  "lens",
  "fix from the lens with an unsaved edit, accept all, undo",
  { files: FILES, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await addToFile(editor, "\n# not saved");
    await editor.command("CodeAct: Find Failing Tests");
    await editor.openFile("test_calc.py");
    const lens = editor.page.locator(".codelens-decoration a", { hasText: "Fix with CodeAct" });
    await lens.first().waitFor({ timeout: 60_000 });
    await editor.shot("lens");
    assert.equal(await lens.count(), 2);
    await lens.first().click();
    await editor.press(PROVEN, "Accept");
    await editor.toast("Applied").waitFor();
    await editor.openFile("calc.py");
    await until(async () => (await editor.text()).includes("return a + b"));
    assert.match(await editor.text(), /# not saved/);
    await editor.shot("accepted");
    await focusEditor(editor);
    await editor.page.keyboard.press("Control+z");
    await until(async () => (await editor.text()).includes("return a - b"));
    assert.match(await editor.text(), /# not saved/);
    assert.equal(readFileSync(join(editor.workspace, "calc.py"), "utf8"), BROKEN);
  },
);

scenario(
  "part",
  "accept a part, proven again, and take it back from Runs",
  { files: FILES, script: [BOTH], theme: "light" },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.press(PROVEN, "Review");
    const boxes = editor.page.locator(".pane-body .monaco-list-row .monaco-checkbox");
    await until(async () => (await boxes.count()) >= 3);
    await editor.shot("review");
    await boxes.nth(2).click();
    await editor.page.getByText("The rest still passes: it fixes 1 test").first().waitFor({ timeout: 60_000 });
    await editor.shot("left-out");
    await editor.command("CodeAct: Accept Selected");
    await editor.toast("Applied").waitFor({ timeout: 60_000 });
    await editor.shot("applied");
    await editor.openFile("calc.py");
    await until(async () => (await editor.text()).includes("return a + b"));
    assert.match(await editor.text(), /return a \* 2/);
    await editor.shot("accepted");
    await editor.press("Applied", "Undo");
    await until(async () => (await editor.text()).includes("return a - b"));
  },
);

scenario("typing", "typing in mid-run is merged and proven again", { files: FILES, script: [BOTH] }, async (editor) => {
  await editor.openFile("calc.py");
  await editor.command("CodeAct: Fix Failing Tests");
  await editor.toast(PROVEN).waitFor({ timeout: 60_000 });
  await addToFile(editor, "\n# typed meanwhile");
  await editor.press(PROVEN, "Accept");
  await editor.toast("Merged with your own edits").waitFor({ timeout: 60_000 });
  await until(async () => (await editor.text()).includes("return a + b"));
  assert.match(await editor.text(), /# typed meanwhile/);
});

const SLOW = { ...FILES, "test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(19)\n" };

scenario(
  "cancel",
  "cancel ends the run and leaves the files alone",
  { files: SLOW, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    const running = editor.toast("CodeAct is fixing tests");
    await running.waitFor();
    await editor.shot("running");
    await running.getByRole("button", { name: "Cancel" }).click();
    await editor.toast("cancelled. Your files are untouched").waitFor({ timeout: 6000 });
    await editor.shot("cancelled");
  },
);

scenario(
  "killed",
  "a killed server starts again with a word about it",
  { files: SLOW, script: [BOTH] },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast("CodeAct is fixing tests").waitFor();
    editor.killServer();
    await editor.toast("started again").waitFor();
    await editor.shot("killed");
    await editor.command("CodeAct: Show Runs");
    await until(async () => (await editor.page.locator(".pane-body .monaco-list-row").count()) > 0);
    await editor.shot("runs");
    assert.equal(readFileSync(join(editor.workspace, "calc.py"), "utf8"), BROKEN);
  },
);

scenario("key", "a wrong key says so and offers to set another", { files: FILES, script: [401] }, async (editor) => {
  await editor.openFile("calc.py");
  await editor.command("CodeAct: Fix Failing Tests");
  const toast = editor.toast(/key/i);
  await toast.waitFor({ timeout: 60_000 });
  await editor.shot("wrong-key");
  assert.ok(await toast.getByRole("button", { name: "Set API Key" }).isVisible());
});

scenario(
  "nosandbox",
  "without a sandbox nothing runs, and the doctor is offered",
  {
    files: FILES,
    script: [BOTH],
    settings: { "codeact.sandbox.backend": "docker" },
    environ: { DOCKER_HOST: "unix:///nowhere.sock" },
  },
  async (editor) => {
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    const toast = editor.toast(/docker/i);
    await toast.waitFor({ timeout: 60_000 });
    await editor.shot("no-sandbox");
    await toast.getByRole("button", { name: "Doctor" }).click();
    await editor.page.getByText("bubblewrap").first().waitFor();
    await editor.shot("doctor");
  },
);

scenario(
  "ask",
  "a question with a chart and a table, shown in the run view",
  {
    files: { ...FILES, "sales.csv": "product,amount\ntea,3\ncoffee,9\ntea,4\n" },
    script: [CHART, "**Coffee** leads with 9, see sales.csv:3."],
  },
  async (editor) => {
    await editor.openFile("sales.csv");
    await editor.command("CodeAct: Ask CodeAct");
    await editor.answer("Chart the top products");
    await editor.toast("CodeAct has answered").waitFor({ timeout: 60_000 });
    const view = editor.view();
    await view.locator("img").first().waitFor({ timeout: 20_000 });
    assert.ok(await view.getByText("leads with 9").first().isVisible());
    await editor.shot("answer");
  },
);

scenario("script", "a new script is accepted with its effect", { files: FILES, script: [SCRIPT] }, async (editor) => {
  await editor.openFile("calc.py");
  await editor.command("CodeAct: Write Automation Script");
  await editor.answer("List the module names in NAMES.txt");
  await editor.press(/runs, and does the same again/, "Accept");
  await until(() => existsSync(join(editor.workspace, "NAMES.txt")));
  await editor.shot("script");
});

scenario(
  "untrusted",
  "nothing runs in a folder that is not trusted",
  { files: FILES, script: [BOTH], trust: true },
  async (editor) => {
    const dialog = editor.page.locator(".monaco-dialog-box");
    await dialog.waitFor({ timeout: 15_000 }).then(
      () => dialog.getByRole("button", { name: /No, I don't/ }).click(),
      () => undefined,
    );
    await editor.openFile("calc.py");
    await editor.command("CodeAct: Fix Failing Tests");
    await editor.toast("not trusted").waitFor();
    await editor.shot("untrusted");
    assert.equal(existsSync(join(editor.folder, "state", "runs")), false);
  },
);

const EMBEDDED = spawnSync(join(TOP, ".venv", "bin", "codeact"), ["model", "list"], {
  encoding: "utf8",
}).stdout.includes("\tinstalled\t");
if (EMBEDDED) {
  const cache =
    process.env.CODEACT_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "codeact");
  const settings = { "codeact.model.name": "local" };
  scenario(
    "embedded",
    "the embedded model mends it by itself",
    { files: FILES, settings, environ: { CODEACT_CACHE_DIR: cache } },
    async (editor) => {
      await editor.openFile("calc.py");
      await editor.command("CodeAct: Fix Failing Tests");
      await editor.toast(PROVEN).waitFor({ timeout: 240_000 });
      await editor.shot("proven");
    },
  );
}

scenario("walkthrough", "the walkthrough opens an example", { files: FILES, script: [BOTH] }, async (editor) => {
  await editor.openFile("calc.py");
  await editor.command("CodeAct: Get Started");
  await editor.page.locator(".gettingStartedContainer .getting-started-step").first().waitFor({ timeout: 20_000 });
  await editor.shot("walkthrough");
  const opened = editor.page.context().waitForEvent("page", { timeout: 20_000 });
  await editor.command("CodeAct: Open an Example");
  const page = await opened;
  await page.locator(".explorer-folders-view", { hasText: "pyproject.toml" }).waitFor({ timeout: 40_000 });
});
