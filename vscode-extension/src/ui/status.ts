// The item in the status bar: what CodeAct is doing, and the way to everything else.
import * as vscode from "vscode";
import type { RunEvent } from "../pure/wire";
import type { RunStore } from "../runs/store";
import type { Server, State } from "../server/server";

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("codeact.status", vscode.StatusBarAlignment.Left, 10);
  private readonly subscriptions: vscode.Disposable[];
  private activity = "";

  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
  ) {
    this.item.name = "CodeAct";
    this.item.command = "codeact.showMenu";
    this.subscriptions = [
      server.onState(() => this.draw()),
      store.onEvent(({ event }) => this.note(event)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.draw()),
    ];
    this.draw();
    this.item.show();
  }

  dispose(): void {
    this.item.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private note(event: RunEvent): void {
    if (event.event === "started") this.activity = "starting";
    if (event.event === "progress") this.activity = event.message;
    if (event.event === "step") this.activity = `step ${event.step.number}`;
    this.draw();
  }

  private draw(): void {
    const running = this.store.running().length > 0;
    if (!vscode.workspace.isTrusted)
      this.show("$(workspace-untrusted) CodeAct", "CodeAct starts nothing in a folder that is not trusted.");
    else if (running && this.server.state === "ready")
      this.show(`$(sync~spin) CodeAct: ${this.activity}`, "CodeAct is at work. Click for more.");
    else this.showState(this.server.state);
  }

  private showState(state: State): void {
    if (state === "starting") this.show("$(loading~spin) CodeAct", "CodeAct's language server is starting.");
    else if (state === "failed")
      this.show("$(warning) CodeAct", "CodeAct's language server does not run. Click for more.");
    else this.show("$(beaker) CodeAct", "Fix failing tests, ask, or look at runs.");
    this.item.backgroundColor =
      state === "failed" ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  private show(text: string, tooltip: string): void {
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: `${text.replace(/\$\([^)]*\)\s*/, "")}. ${tooltip}`, role: "button" };
  }
}
