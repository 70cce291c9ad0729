// Binds what the server reports of long work ($/progress) to the notification of the operation that asked for it.
import type * as vscode from "vscode";
import type {
  Middleware,
  ProgressToken,
  WorkDoneProgressBegin,
  WorkDoneProgressEnd,
  WorkDoneProgressReport,
} from "vscode-languageclient/node";

type Value = WorkDoneProgressBegin | WorkDoneProgressReport | WorkDoneProgressEnd;

export class Operation {
  token: ProgressToken | undefined;
  private shown = 0;

  constructor(private readonly progress: vscode.Progress<{ message?: string; increment?: number }>) {}

  report(value: { message?: string; percentage?: number }): void {
    const increment = value.percentage === undefined ? undefined : Math.max(0, value.percentage - this.shown);
    this.shown += increment ?? 0;
    const message = value.message?.trim();
    this.progress.report({ ...(message ? { message } : {}), ...(increment === undefined ? {} : { increment }) });
  }
}

/** The server chooses the tokens: the first that begins belongs to the oldest operation that has none yet. */
export class ProgressRouter {
  private readonly open = new Set<Operation>();

  begin(operation: Operation): vscode.Disposable {
    this.open.add(operation);
    return { dispose: () => this.open.delete(operation) };
  }

  /** The client's middleware: true progress bars of our own operations, the status bar for all others. */
  readonly handle: NonNullable<Middleware["handleWorkDoneProgress"]> = (token, value, next) => {
    const operation = this.find(token, value);
    if (operation && value.kind !== "end") operation.report(value);
    else next(token, value);
  };

  private find(token: ProgressToken, value: Value): Operation | undefined {
    for (const operation of this.open) {
      if (operation.token === token) return operation;
    }
    if (value.kind !== "begin") return undefined;
    const free = [...this.open].find((operation) => operation.token === undefined);
    if (free) free.token = token;
    return free;
  }
}
