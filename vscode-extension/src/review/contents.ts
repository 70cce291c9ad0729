// The texts of a review as documents: a file as it was in the snapshot, and as it is proposed with what is kept.
import * as vscode from "vscode";
import { proposedText } from "../pure/hunks";
import type { Selection } from "../pure/selection";
import type { ReviewFile } from "../pure/wire";

export const SCHEME = "codeact-review";
type Side = "before" | "after";

export class ReviewContents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  private readonly registration: vscode.Disposable;
  private readonly selections = new Map<string, Selection>();
  readonly onDidChange = this.changes.event;

  constructor() {
    this.registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  add(selection: Selection): void {
    this.selections.set(selection.review.run, selection);
    this.refresh(selection);
  }

  /** The proposed texts are others now. */
  refresh(selection: Selection): void {
    for (const file of selection.review.files) this.changes.fire(this.uri(selection, file, "after"));
  }

  /** Label, snapshot and proposal of a file, as the multi-diff editor wants them. */
  resources(selection: Selection, file: ReviewFile): [vscode.Uri, vscode.Uri | undefined, vscode.Uri | undefined] {
    const label = vscode.Uri.parse(file.uri, true);
    const left = file.before === null ? undefined : this.uri(selection, file, "before");
    const right = file.after === null ? undefined : this.uri(selection, file, "after");
    return [label, left, right];
  }

  uri(selection: Selection, file: ReviewFile, side: Side): vscode.Uri {
    return vscode.Uri.from({ scheme: SCHEME, path: `/${file.path}`, query: `${side}&${selection.review.run}` });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const [side, run = ""] = uri.query.split("&");
    const selection = this.selections.get(run);
    const file = selection?.review.files.find((found) => `/${found.path}` === uri.path);
    if (!selection || !file) return "";
    if (file.binary) return "This file is binary: it cannot be shown here.\n";
    return (side === "before" ? file.before : proposedText(file, selection.kept)) ?? "";
  }

  dispose(): void {
    this.changes.dispose();
    this.registration.dispose();
  }
}
