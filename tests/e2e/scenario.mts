// A scenario: an editor of its own, what a developer does in it, and what they must see.
import { after, test } from "node:test";
import { closeBrowser, Editor, type Options } from "./harness.mts";

after(closeBrowser);

const TRIES = Number(process.env.CODEACT_E2E_TRIES || 2);

/** Real editors have their moods: what fails is tried once more, and that is said. */
export function scenario(name: string, title: string, options: Options, act: (editor: Editor) => Promise<void>): void {
  test(title, async () => {
    for (let left = TRIES; left > 0; left -= 1) {
      const editor = await Editor.open(name, { ...options, traced: left === 1 && TRIES > 1 });
      let failed = true;
      try {
        await act(editor);
        failed = false;
        return;
      } catch (error) {
        if (left === 1) throw error;
        console.log(`${title}: tried once more after ${String(error).split("\n")[0]}`);
      } finally {
        await editor.close(failed);
      }
    }
  });
}
