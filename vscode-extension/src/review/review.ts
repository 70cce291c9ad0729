// A review: the tree, the diffs, and what is done with a proposal.
import * as vscode from "vscode";
import { Selection } from "../pure/selection";
import type { Evidence, Review } from "../pure/wire";
import type { Server } from "../server/server";
import { isCancelled, showError } from "../ui/errors";
import { ReviewContents, SCHEME } from "./contents";
import { type Node, ReviewTree } from "./tree";

const TITLE = "CodeAct: Review";
const PAUSE = 700; // milliseconds after the last tick until the rest is checked

export class Reviewer implements vscode.Disposable {
  private readonly tree = new ReviewTree();
  private readonly contents = new ReviewContents();
  private readonly view: vscode.TreeView<Node>;
  private selection: Selection | undefined;
  private timer: NodeJS.Timeout | undefined;
  private checking: { key: string; source: vscode.CancellationTokenSource } | undefined;

  constructor(private readonly server: Server) {
    this.view = vscode.window.createTreeView("codeact.review", {
      treeDataProvider: this.tree,
      manageCheckboxStateManually: true,
    });
    this.view.onDidChangeCheckboxState(({ items }) => this.tick(items));
  }

  /** The run under review, if any. */
  get run(): string | undefined {
    return this.selection?.review.run;
  }

  current(): Selection | undefined {
    return this.selection;
  }

  /** Show a run's proposal: the tree, and the diffs. */
  async open(run: string): Promise<void> {
    const review = await this.server.execute<Review>("codeact.review", { run });
    this.selection = new Selection(review);
    this.contents.add(this.selection);
    await vscode.commands.executeCommand("setContext", "codeact.reviewing", true);
    await vscode.commands.executeCommand("setContext", "codeact.reviewState", review.state);
    this.draw();
    await vscode.commands.executeCommand("codeact.review.focus", { preserveFocus: true });
    if (vscode.workspace.getConfiguration("codeact").get("review.openDiff", true)) await this.openDiffs();
  }

  /** All files in the multi-diff editor. */
  async openDiffs(): Promise<void> {
    const selection = this.selection;
    if (!selection) return;
    const resources = selection.review.files.map((file) => this.contents.resources(selection, file));
    await vscode.commands.executeCommand("vscode.changes", TITLE, resources);
  }

  /** One file in a diff editor, at a hunk if one is meant. */
  async openDiff(node: Node): Promise<void> {
    const selection = this.selection;
    if (!selection || (node.kind !== "file" && node.kind !== "hunk")) return;
    const [left, right] = (["before", "after"] as const).map((side) => this.contents.uri(selection, node.file, side));
    const options: vscode.TextDocumentShowOptions = { preview: true };
    if (node.kind === "hunk") {
      const line = Math.max(node.hunk.new_start - 1, 0);
      options.selection = new vscode.Range(line, 0, line, 0);
    }
    await vscode.commands.executeCommand("vscode.diff", left, right, `${node.file.path} (proposed)`, options);
  }

  /** The proof of what is kept, made now if need be; undefined if that was cancelled. */
  async check(): Promise<Evidence | undefined> {
    const selection = this.selection;
    const known = selection?.evidence();
    if (!selection || known) return known;
    this.stopChecking();
    const key = selection.key();
    const argument = { run: selection.review.run, hunks: selection.ids() };
    const title = "CodeAct is checking whether the rest still passes";
    try {
      const evidence = await this.server.executeLong<Evidence>(title, "codeact.check", argument);
      selection.note(key, evidence);
      return evidence;
    } catch (error) {
      if (!isCancelled(error)) throw error;
      return undefined;
    } finally {
      this.draw();
    }
  }

  /** The review of this run is over: nothing is left to decide. */
  async close(run: string): Promise<void> {
    if (this.selection?.review.run !== run) return;
    this.stopChecking();
    this.selection = undefined;
    await vscode.commands.executeCommand("setContext", "codeact.reviewing", false);
    this.draw();
    await closeTabs();
  }

  dispose(): void {
    this.stopChecking();
    this.view.dispose();
    this.contents.dispose();
  }

  private tick(items: readonly [Node, vscode.TreeItemCheckboxState][]): void {
    const selection = this.selection;
    if (!selection) return;
    for (const [node, state] of items) {
      const keep = state === vscode.TreeItemCheckboxState.Checked;
      if (node.kind === "file") selection.set(node.file, keep);
      if (node.kind === "hunk") selection.set(node.hunk.id, keep);
    }
    this.stopChecking();
    this.contents.refresh(selection);
    if (!selection.isComplete() && !selection.isEmpty() && !selection.evidence()) {
      this.timer = setTimeout(() => void this.checkQuietly(selection), PAUSE);
    }
    this.draw();
  }

  /** While the developer looks on, find out whether the rest still passes. */
  private async checkQuietly(selection: Selection): Promise<void> {
    const key = selection.key();
    const source = new vscode.CancellationTokenSource();
    this.checking = { key, source };
    this.draw();
    try {
      const argument = { run: selection.review.run, hunks: selection.ids() };
      selection.note(key, await this.server.execute<Evidence>("codeact.check", argument, source.token));
    } catch (error) {
      if (!isCancelled(error) && !source.token.isCancellationRequested) void showError(error);
    } finally {
      if (this.checking?.key === key) this.checking = undefined;
      this.draw();
    }
  }

  private stopChecking(): void {
    clearTimeout(this.timer);
    this.checking?.source.cancel();
    this.checking = undefined;
  }

  private draw(): void {
    this.tree.show(this.selection);
    this.view.message = this.selection?.describe(this.checking !== undefined) ?? "";
    const left = this.selection && !this.selection.isComplete();
    this.view.description = left ? "a part is left out" : "";
  }
}

/** The diffs of a review that is over would show what no longer is. */
async function closeTabs(): Promise<void> {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  const isOurs = ({ input, label }: vscode.Tab) =>
    input instanceof vscode.TabInputTextDiff
      ? input.modified.scheme === SCHEME || input.original.scheme === SCHEME
      : label.startsWith(TITLE);
  await vscode.window.tabGroups.close(tabs.filter(isOurs), true);
}
