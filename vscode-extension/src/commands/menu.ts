// What the status bar item opens: everything one may want, in one list.
import * as vscode from "vscode";
import type { RunStore } from "../runs/store";

export async function showMenu(store: RunStore): Promise<void> {
  const running = store.running();
  const rows: [string, string, ...unknown[]][] = [
    ...running.map((run): [string, string, string] => ["$(eye) Show the Run That Goes On", "codeact.openRun", run]),
    ...running.map((run): [string, string, string] => ["$(debug-stop) Cancel It", "codeact.cancelRun", run]),
    ["$(wand) Fix Failing Tests", "codeact.fixFailing"],
    ["$(beaker) Find Failing Tests", "codeact.findFailing"],
    ["$(comment-discussion) Ask CodeAct…", "codeact.askAnything"],
    ["$(new-file) Write Automation Script…", "codeact.writeScript"],
    ["$(history) Show Runs", "codeact.showRuns"],
    ["$(chip) Choose Model…", "codeact.chooseModel"],
    ["$(pulse) Doctor", "codeact.showDoctor"],
    ["$(output) Show Log", "codeact.showLog"],
  ];
  const choice = await vscode.window.showQuickPick(
    rows.map(([label, command, ...args]) => ({ label, command, args })),
    { title: "CodeAct" },
  );
  if (choice) await vscode.commands.executeCommand(choice.command, ...choice.args);
}
