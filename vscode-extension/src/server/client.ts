// What the language client is told: which documents it sends, and where it lets the extension step in.
import * as vscode from "vscode";
import { type LanguageClientOptions, RevealOutputChannelOn } from "vscode-languageclient/node";
import type { ProgressRouter } from "./progress";
import type { Restarts } from "./restarts";
import type { CommandWrapper } from "./server";

export function clientOptions(
  log: vscode.LogOutputChannel,
  router: ProgressRouter,
  restarts: Restarts,
  wrap: CommandWrapper,
): LanguageClientOptions {
  return {
    // All files, not only Python: a snapshot holds the unsaved text of every open document.
    documentSelector: [{ scheme: "file" }],
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    progressOnInitialization: false,
    errorHandler: restarts,
    initializationFailedHandler: () => false,
    middleware: {
      handleWorkDoneProgress: router.handle,
      executeCommand: async (command, args, next) => {
        const wrapped = wrap(command, args);
        if (wrapped) return wrapped;
        try {
          return await next(command, args);
        } catch (error) {
          void vscode.window.showErrorMessage(`CodeAct: ${error instanceof Error ? error.message : String(error)}`);
          return undefined;
        }
      },
    },
  };
}
