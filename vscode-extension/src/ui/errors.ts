// Errors as the developer sees them: one message, with a button for what can be done.
import * as vscode from "vscode";
import { SetUpError } from "../server/environment";
import { PythonMissing } from "../server/launch";

const REQUEST_CANCELLED = -32800;

export function isCancelled(error: unknown): boolean {
  return (error as { code?: number }).code === REQUEST_CANCELLED || (error as Error).message === "Cancelled.";
}

/** Show an error; whatever the developer cancelled is not one. */
export async function showError(error: unknown): Promise<void> {
  if (isCancelled(error)) return;
  const message = (error instanceof Error ? error.message : String(error)).replace(/^CodeAct: /, "");
  const choice = await vscode.window.showErrorMessage(`CodeAct: ${message}`, ...buttons(error, message).keys());
  const command = choice && buttons(error, message).get(choice);
  if (command) await vscode.commands.executeCommand(...command);
}

function buttons(error: unknown, message: string): Map<string, [string, ...unknown[]]> {
  const found = new Map<string, [string, ...unknown[]]>();
  if (error instanceof SetUpError) found.set("Try Again", ["codeact.setUp"]);
  if (error instanceof PythonMissing) {
    found.set("Choose a Python", ["workbench.action.openSettings", "codeact.server.python"]);
    found.set("Get Python", ["vscode.open", vscode.Uri.parse("https://www.python.org/downloads/")]);
    return found;
  }
  if (/codeact model pull/.test(message)) found.set("Download Model", ["codeact.downloadModel"]);
  else if (/\bkey\b/i.test(message)) found.set("Set API Key", ["codeact.setApiKey"]);
  if (/\bmodel\b/i.test(message)) found.set("Choose Model", ["codeact.chooseModel"]);
  if (/sandbox|bubblewrap|docker/i.test(message)) found.set("Doctor", ["codeact.showDoctor"]);
  return found.set("Show Log", ["codeact.showLog"]);
}
