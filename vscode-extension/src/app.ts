// The parts of the extension, put together once.
import * as vscode from "vscode";
import type { FixArgument } from "./pure/wire";
import { Decisions } from "./review/decide";
import { Reviewer } from "./review/review";
import { tellOutcome } from "./runs/outcome";
import { Runner } from "./runs/start";
import { RunStore } from "./runs/store";
import { RunsTree } from "./runs/tree";
import { RunView } from "./runs/view";
import { answerChats } from "./server/chat";
import { Server } from "./server/server";
import { showError } from "./ui/errors";

export class App implements vscode.Disposable {
  readonly server: Server;
  readonly store: RunStore;
  readonly runner: Runner;
  readonly tree: RunsTree;
  readonly view: RunView;
  readonly reviewer: Reviewer;
  readonly decisions: Decisions;

  constructor(
    readonly context: vscode.ExtensionContext,
    log: vscode.LogOutputChannel,
  ) {
    this.server = new Server(context, log);
    this.store = new RunStore(this.server);
    this.tree = new RunsTree(this.server);
    this.view = new RunView(context.extensionUri, this.server, this.store);
    this.reviewer = new Reviewer(this.server);
    this.decisions = new Decisions(this.server, this.reviewer);
    this.runner = new Runner(this.server, this.store, {
      begun: (run) => this.showBegun(run),
      ended: (result, kind) => void tellOutcome(result, kind, this.view.isVisible(result.run)),
    });
    this.connect();
  }

  dispose(): void {
    for (const part of [this.view, this.reviewer, this.tree, this.store, this.server]) part.dispose();
  }

  private connect(): void {
    this.view.stateOf = (run) => this.tree.stateOf(run);
    // Lenses and quick fixes carry the server's own command: the run behind them is shown like any other.
    this.server.wrap = (command, [argument]) =>
      command === "codeact.fix" ? this.runner.fix(argument as FixArgument) : undefined;
    this.server.onClient(answerChats);
    this.server.onState((state) => {
      if (state === "ready") this.refresh();
      if (state !== "ready") for (const run of this.store.running()) this.store.end(run, "The language server ended.");
    });
    this.store.onEvent(({ event }) => {
      if (event.event !== "started" && event.event !== "result") return;
      void vscode.commands.executeCommand("setContext", "codeact.running", this.store.running().length > 0);
      this.refresh();
    });
    this.decisions.onDecision(({ run, state }) => {
      this.tree.setState(run, state);
      this.view.tellState(run);
      this.refresh();
    });
  }

  private refresh(): void {
    this.tree.refresh().catch((error: unknown) => this.server.log.warn(`The runs cannot be listed: ${String(error)}`));
  }

  private showBegun(run: string): void {
    const place = vscode.workspace.getConfiguration("codeact").get<string>("runView.open", "beside");
    if (place !== "never") this.view.open(run, { beside: place === "beside", reuse: true }).catch(showError);
  }
}
