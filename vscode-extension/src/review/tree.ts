// The tree of a review: files and hunks with checkboxes, and the evidence.
import * as vscode from "vscode";
import { describeCounts, describeHunk } from "../pure/hunks";
import type { Selection } from "../pure/selection";
import { describeEvidence } from "../pure/summary";
import type { Hunk, ReviewFile } from "../pure/wire";

export type Node =
  | { kind: "file"; file: ReviewFile }
  | { kind: "hunk"; file: ReviewFile; hunk: Hunk }
  | { kind: "evidence" }
  | { kind: "fact"; label: string; detail: string };

export class ReviewTree implements vscode.TreeDataProvider<Node> {
  private readonly changes = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changes.event;
  private selection: Selection | undefined;

  show(selection: Selection | undefined): void {
    this.selection = selection;
    this.changes.fire(undefined);
  }

  getChildren(node?: Node): Node[] {
    const selection = this.selection;
    if (!selection) return [];
    if (!node) {
      const files = selection.review.files.map((file): Node => ({ kind: "file", file }));
      return selection.evidence() ? [...files, { kind: "evidence" }] : files;
    }
    if (node.kind === "file" && node.file.hunks.length > 1) {
      return node.file.hunks.map((hunk) => ({ kind: "hunk", file: node.file, hunk }));
    }
    const evidence = node.kind === "evidence" ? selection.evidence() : undefined;
    return evidence ? describeEvidence(evidence).map((fact) => ({ kind: "fact", ...fact })) : [];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case "file":
        return this.fileItem(node);
      case "hunk":
        return this.hunkItem(node);
      case "evidence":
        return this.evidenceItem();
      case "fact":
        return factItem(node);
    }
  }

  private fileItem({ file }: { file: ReviewFile }): vscode.TreeItem {
    const many = file.hunks.length > 1;
    const item = new vscode.TreeItem(
      vscode.Uri.parse(file.uri, true),
      many ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None,
    );
    const folder = file.path.split("/").slice(0, -1).join("/");
    const what = { added: "new", deleted: "deleted", modified: "" }[file.status];
    const counts = file.binary ? "binary" : describeCounts(file.added, file.removed);
    item.description = [what, counts, folder].filter(Boolean).join(" · ");
    item.contextValue = "file";
    item.tooltip = file.path;
    item.checkboxState = this.box(file, file.path);
    item.command = { command: "codeact.openDiff", title: "Open Diff", arguments: [{ kind: "file", file }] };
    return item;
  }

  private hunkItem({ file, hunk }: { file: ReviewFile; hunk: Hunk }): vscode.TreeItem {
    const { label, added, removed } = describeHunk(hunk);
    const item = new vscode.TreeItem(label || "blank lines");
    item.description = `line ${hunk.old_start} · ${describeCounts(added, removed)}`;
    item.contextValue = "hunk";
    item.checkboxState = this.box(hunk.id, `line ${hunk.old_start} of ${file.path}`);
    item.command = { command: "codeact.openDiff", title: "Open Diff", arguments: [{ kind: "hunk", file, hunk }] };
    return item;
  }

  private evidenceItem(): vscode.TreeItem {
    const item = new vscode.TreeItem("Evidence", vscode.TreeItemCollapsibleState.Collapsed);
    const evidence = this.selection?.evidence();
    item.iconPath = new vscode.ThemeIcon(evidence?.verified ? "verified-filled" : "warning");
    item.description = evidence?.verified ? "proven in a fresh sandbox" : "not proven";
    item.contextValue = "evidence";
    return item;
  }

  private box(target: ReviewFile | string, name: string): NonNullable<vscode.TreeItem["checkboxState"]> {
    const kept = this.selection?.isKept(target) ?? false;
    const state = kept ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked;
    const tooltip = kept ? "Kept: untick to leave it out" : "Left out: tick to keep it";
    return {
      state,
      tooltip,
      accessibilityInformation: { label: `${name}, ${kept ? "kept" : "left out"}`, role: "checkbox" },
    };
  }
}

function factItem({ label, detail }: { label: string; detail: string }): vscode.TreeItem {
  const item = new vscode.TreeItem(label);
  item.description = detail;
  item.tooltip = `${label}: ${detail}`;
  return item;
}
