// Open an Example: a small repository with failing tests, copied to a folder of its own.
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";

const run = promisify(execFile);

/** Copy the example and open it; here if nothing is open, else in a new window. */
export async function openExample(context: vscode.ExtensionContext): Promise<void> {
  const source = join(context.extensionPath, "examples", "cart");
  const parent = join(context.globalStorageUri.fsPath, "examples");
  await mkdir(parent, { recursive: true });
  const folder = join(await mkdtemp(join(parent, "shop-")), "cart");
  await cp(source, folder, { recursive: true });
  await makeRepository(folder);
  const forceNewWindow = (vscode.workspace.workspaceFolders ?? []).length > 0;
  await vscode.commands.executeCommand("vscode.openFolder", vscode.Uri.file(folder), { forceNewWindow });
}

/** With one commit, so that the change shows in the source control view. Without git it is a plain folder. */
async function makeRepository(folder: string): Promise<void> {
  const git = (...args: string[]) => run("git", ["-C", folder, ...args], { timeout: 20_000 });
  const who = ["-c", "user.name=CodeAct", "-c", "user.email=example@example.invalid"];
  try {
    await git("-c", "init.defaultBranch=main", "init", "--quiet");
    await git("add", "--all");
    await git(...who, "commit", "--quiet", "--no-gpg-sign", "--no-verify", "-m", "The cart example");
  } catch {
    // The example works without it.
  }
}
