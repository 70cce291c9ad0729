// Nothing runs in a folder that the developer does not trust.
import * as vscode from "vscode";

/** Whether something may run here; if not, says why and offers the editor's own page for it. */
export function mayRun(): boolean {
  if (vscode.workspace.isTrusted) return true;
  void explain();
  return false;
}

async function explain(): Promise<void> {
  const message =
    "CodeAct runs your tests, so it starts nothing in a folder that is not trusted. Trust it, then try again.";
  const choice = await vscode.window.showWarningMessage(message, "Manage Workspace Trust");
  if (choice) await vscode.commands.executeCommand("workbench.trust.manage");
}
