// Open an Example: a small repository with failing tests, copied to a folder of its own.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";

const MARK = ".codeact-example"; // an activation event of package.json
const WELCOMED = "codeact.welcomed";
const run = promisify(execFile);

/** Copy the example and open it; here if nothing is open, else in a new window. */
export async function openExample(context: vscode.ExtensionContext): Promise<void> {
  const source = join(context.extensionPath, "examples", "cart");
  const parent = join(context.globalStorageUri.fsPath, "examples");
  await mkdir(parent, { recursive: true });
  const folder = join(await mkdtemp(join(parent, "shop-")), "cart");
  await cp(source, folder, { recursive: true });
  await writeFile(join(folder, MARK), "CodeAct's example: break it as you like, another copy is one click away.\n");
  await makeRepository(folder);
  const forceNewWindow = (vscode.workspace.workspaceFolders ?? []).length > 0;
  await vscode.commands.executeCommand("vscode.openFolder", vscode.Uri.file(folder), { forceNewWindow });
}

/** In an example that was just opened, the walkthrough goes on where opening it has left off. */
export async function welcomeToExample(context: vscode.ExtensionContext): Promise<void> {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  if (!folder || !vscode.workspace.isTrusted || context.workspaceState.get(WELCOMED)) return;
  if (!existsSync(join(folder.uri.fsPath, MARK))) return;
  await context.workspaceState.update(WELCOMED, true);
  const step = { category: `${context.extension.id}#start`, step: "fix" };
  await vscode.commands.executeCommand("workbench.action.openWalkthrough", step, false);
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
