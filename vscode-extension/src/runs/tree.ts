// The view "Runs": what was asked, how it ended, what became of it.
import { realpathSync } from "node:fs";
import * as vscode from "vscode";
import { type RunRow, toRow } from "../pure/runs";
import type { RunSummary } from "../pure/wire";
import type { Server } from "../server/server";

export class RunsTree implements vscode.TreeDataProvider<RunRow>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<RunRow>;
  private readonly states = new Map<string, string>();
  private loaded = false;
  private rows: RunRow[] = [];
  readonly onDidChangeTreeData = this.changes.event;

  constructor(private readonly server: Server) {
    this.view = vscode.window.createTreeView("codeact.runs", { treeDataProvider: this });
  }

  /** Read the list anew; only if the server runs, since looking at a view shall start nothing. */
  async refresh(): Promise<void> {
    if (this.server.state !== "ready") return;
    const summaries = await this.server.execute<RunSummary[]>("codeact.runs");
    const open = new Set((vscode.workspace.workspaceFolders ?? []).map((folder) => realPath(folder.uri.fsPath)));
    this.rows = summaries.map((summary) => toRow(summary, new Date())).filter((row) => isNear(row, open));
    for (const row of this.rows) this.states.set(row.run, row.state);
    this.loaded = true;
    void vscode.commands.executeCommand("setContext", "codeact.hasRun", this.rows.length > 0);
    this.changes.fire(undefined);
  }

  stateOf(run: string): string {
    return this.states.get(run) ?? "open";
  }

  setState(run: string, state: string): void {
    this.states.set(run, state);
  }

  /** The run that is meant: the given one, the selected one, else the newest of those that fit. */
  meant(given: unknown, fits: (row: RunRow) => boolean = () => true): string | undefined {
    if (typeof given === "string" && given) return given;
    const row = given as RunRow | undefined;
    return row?.run ?? this.view.selection.find(fits)?.run ?? this.rows.find(fits)?.run;
  }

  list(): readonly RunRow[] {
    return this.rows;
  }

  async getChildren(row?: RunRow): Promise<RunRow[]> {
    if (row) return [];
    if (!this.loaded && this.server.state === "ready") void this.refresh();
    return this.rows;
  }

  getTreeItem(row: RunRow): vscode.TreeItem {
    const item = new vscode.TreeItem(row.label);
    item.id = row.run;
    item.description = row.description;
    item.tooltip = row.tooltip;
    item.contextValue = row.context;
    item.iconPath = new vscode.ThemeIcon(row.icon, colourOf(row.icon));
    item.command = { command: "codeact.openRun", title: "Open Run", arguments: [row] };
    item.accessibilityInformation = { label: `${row.label}, ${row.description}` };
    return item;
  }

  dispose(): void {
    this.view.dispose();
  }
}

function isNear(row: RunRow, open: ReadonlySet<string>): boolean {
  return !row.workspace || open.size === 0 || open.has(row.workspace);
}

/** Without symbolic links, as the server names folders. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function colourOf(icon: string): vscode.ThemeColor | undefined {
  if (icon === "pass" || icon === "check-all") return new vscode.ThemeColor("testing.iconPassed");
  if (icon === "error") return new vscode.ThemeColor("testing.iconFailed");
  return icon === "warning" ? new vscode.ThemeColor("editorWarning.foreground") : undefined;
}
