// What the developer decides about a proposal: accept it, a part of it, none of it; or take it back.
import * as vscode from "vscode";
import { describeCheck } from "../pure/summary";
import type { Applied, Evidence } from "../pure/wire";
import type { Server } from "../server/server";
import type { Reviewer } from "./review";

export class Decisions {
  private readonly changes = new vscode.EventEmitter<{ run: string; state: string }>();
  /** What became of a run's proposal. */
  readonly onDecision = this.changes.event;

  constructor(
    private readonly server: Server,
    private readonly reviewer: Reviewer,
  ) {}

  /** Accept a proposal as it is. */
  async accept(run: string): Promise<void> {
    await this.apply(run, { run });
  }

  /** Accept what is ticked; if something is left out, only once the rest is known to pass. */
  async acceptSelected(): Promise<void> {
    const selection = this.reviewer.current();
    if (!selection) return;
    const { run } = selection.review;
    if (selection.isComplete()) return this.accept(run);
    if (selection.isEmpty()) {
      void vscode.window.showInformationMessage(
        "Nothing is ticked. Tick what you want to accept, or discard the proposal.",
      );
      return;
    }
    const told = selection.evidence() !== undefined; // the view has already said so
    const evidence = await this.reviewer.check();
    if (!evidence) return;
    if (!evidence.verified) return this.explainPart(run, evidence);
    if (!told && !(await confirm(`CodeAct: ${describeCheck(evidence)}`))) return;
    await this.apply(run, { run, hunks: selection.ids() });
  }

  async discard(run: string): Promise<void> {
    await this.server.execute("codeact.discard", { run });
    await this.settle(run, "discarded");
    vscode.window.setStatusBarMessage("$(trash) CodeAct: the proposal was discarded", 4000);
  }

  /** Put the files back as they were before the proposal was accepted. */
  async undo(run: string): Promise<void> {
    const undone = await this.server.execute<Applied>("codeact.undo", { run });
    if (!this.wasApplied(undone, "Nothing was put back.")) return;
    await this.settle(run, "undone");
    void vscode.window.showInformationMessage(undone.message || "CodeAct: the proposal was taken back.");
  }

  /** Prove a proposal again: no model, no network. */
  async verify(run: string): Promise<void> {
    const evidence = await this.server.executeLong<Evidence>("CodeAct is proving it again", "codeact.verify", { run });
    if (evidence.verified) {
      void vscode.window.showInformationMessage("CodeAct: proven again in a fresh sandbox.");
    } else {
      const why = evidence.reasons?.[0] ?? "The tests came out otherwise.";
      void vscode.window.showWarningMessage(`CodeAct: this time it is not proven. ${why}`);
    }
  }

  private async apply(run: string, argument: { run: string; hunks?: string[] }): Promise<void> {
    const title = "CodeAct is applying the proposal";
    const applied = await this.server.executeLong<Applied>(title, "codeact.apply", argument);
    if (!this.wasApplied(applied, "Nothing was applied.")) return;
    await vscode.commands.executeCommand("setContext", "codeact.hasAccepted", true);
    await this.settle(run, "applied");
    const merged = applied.merged?.length ? ` Merged with your own edits: ${applied.merged.join(", ")}.` : "";
    const files = applied.files ?? [];
    const what = files.length > 2 ? `${files.length} files` : files.join(" and ");
    const message = applied.message || `Applied to ${what || "your files"}.${merged}`;
    const choice = await vscode.window.showInformationMessage(`CodeAct: ${message}`, "Undo", "Show Changes");
    if (choice === "Undo") await vscode.commands.executeCommand("codeact.undoRun", run);
    if (choice === "Show Changes") await vscode.commands.executeCommand("workbench.view.scm");
  }

  private wasApplied(answer: Applied, otherwise: string): boolean {
    if (answer.applied) return true;
    void vscode.window.showWarningMessage(`CodeAct: ${answer.message || answer.reason || otherwise}`);
    return false;
  }

  private async settle(run: string, state: string): Promise<void> {
    this.changes.fire({ run, state });
    await this.reviewer.close(run);
  }

  private async explainPart(run: string, evidence: Evidence): Promise<void> {
    const message = `CodeAct: ${describeCheck(evidence)} Nothing was applied.`;
    const choice = await vscode.window.showWarningMessage(message, "Accept All", "Keep Reviewing");
    if (choice === "Accept All") await this.accept(run);
  }
}

async function confirm(message: string): Promise<boolean> {
  return (await vscode.window.showInformationMessage(message, "Accept")) === "Accept";
}
