// Which of the open folders is meant.
import * as vscode from "vscode";

/** The folder of a file, else of the active editor, else the only one, else the one that the developer picks. */
export async function pickFolder(uri?: vscode.Uri): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = (vscode.workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === "file");
  const near = uri ?? vscode.window.activeTextEditor?.document.uri;
  const of = near && vscode.workspace.getWorkspaceFolder(near);
  if (of) return of;
  if (folders.length > 1) {
    return vscode.window.showWorkspaceFolderPick({ placeHolder: "In which folder shall CodeAct work?" });
  }
  if (!folders[0]) void offerFolder();
  return folders[0];
}

async function offerFolder(): Promise<void> {
  const message = "Open a folder first: CodeAct works on a Python project and its tests.";
  const choice = await vscode.window.showInformationMessage(message, "Open Folder", "Open an Example");
  if (choice === "Open Folder") await vscode.commands.executeCommand("vscode.openFolder");
  if (choice === "Open an Example") await vscode.commands.executeCommand("codeact.openExample");
}
