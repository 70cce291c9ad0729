// What happens when the server ends by itself: it is started again with a word about it, but not for ever.
import * as vscode from "vscode";
import { CloseAction, type CloseHandlerResult, ErrorAction, type ErrorHandler } from "vscode-languageclient/node";
import { MOST, RestartPolicy } from "../pure/restart";
import type { State } from "./server";

export class Restarts implements ErrorHandler {
  private readonly policy = new RestartPolicy();

  constructor(private readonly tell: (state: State) => void) {}

  forget(): void {
    this.policy.forget();
  }

  error(): { action: ErrorAction; handled: boolean } {
    return { action: ErrorAction.Continue, handled: true };
  }

  closed(): CloseHandlerResult {
    if (this.policy.mayRestart(Date.now())) {
      void vscode.window.showWarningMessage(
        "CodeAct's language server ended unexpectedly and was started again. Your files are untouched; a run that was going on can be looked at in Runs.",
      );
      return { action: CloseAction.Restart, handled: true };
    }
    this.tell("failed");
    void this.offer();
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private async offer(): Promise<void> {
    const message = `CodeAct's language server ended ${MOST + 1} times within five minutes and stays off. The log tells why.`;
    const choice = await vscode.window.showErrorMessage(message, "Show Log", "Start Again");
    if (choice === "Show Log") await vscode.commands.executeCommand("codeact.showLog");
    if (choice === "Start Again") await vscode.commands.executeCommand("codeact.restartServer");
  }
}
