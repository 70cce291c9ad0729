// How the server is started: the user's own command, or the private environment, which is made when it is missing.
import { mkdir } from "node:fs/promises";
import * as vscode from "vscode";
import type { ServerOptions } from "vscode-languageclient/node";
import { locate, make, SetUpError } from "./environment";
import { findPython } from "./python";

/** Whether a start needs no set-up first. */
export async function isSetUp(context: vscode.ExtensionContext): Promise<boolean> {
  return ownCommand().length > 0 || (await locate(places(context))).ready;
}

/** The command line of the server. Its working directory and import path are never the workspace's. */
export async function serverOptions(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<ServerOptions> {
  const cwd = context.globalStorageUri.fsPath;
  await mkdir(cwd, { recursive: true });
  const [program, ...args] = ownCommand();
  if (program) return { command: program, args, options: { cwd } };
  const found = await locate(places(context));
  if (!found.ready) await setUp(context, log);
  return { command: found.python, args: ["-I", "-m", "codeact", "lsp"], options: { cwd } };
}

async function setUp(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<void> {
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: "Setting up CodeAct",
    cancellable: true,
  };
  await vscode.window.withProgress(options, async (progress, token) => {
    progress.report({ message: "looking for Python" });
    const { python, tried } = await findPython();
    if (!python) throw new PythonMissing(tried);
    if (!python.hasVenv) {
      throw new SetUpError(
        `${python.path} has no venv module. On Debian and Ubuntu: sudo apt-get install python3-venv. Then try again.`,
      );
    }
    const report = (message: string) => progress.report({ message });
    await make(places(context), python, report, (line) => log.info(line), token);
  });
}

export class PythonMissing extends SetUpError {
  constructor(tried: readonly string[]) {
    const what = tried.length > 0 ? ` Tried: ${tried.slice(0, 4).join(", ")}.` : "";
    super(`CodeAct needs Python 3.11 or newer, and found none.${what} Install one, or name one in the settings.`);
  }
}

function ownCommand(): string[] {
  return vscode.workspace.getConfiguration("codeact").get<string[]>("server.command", []);
}

function places(context: vscode.ExtensionContext): { extension: string; storage: string } {
  return { extension: context.extensionPath, storage: context.globalStorageUri.fsPath };
}
