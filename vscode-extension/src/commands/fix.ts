// Fix Failing Tests: all, those of a file or folder, the one at the cursor, those of the Testing view.
import * as vscode from "vscode";
import { namesAt, relative, toNodeId } from "../pure/testIds";
import type { FixArgument } from "../pure/wire";
import type { Runner } from "../runs/start";
import { pickFolder } from "../ui/folder";
import { mayRun } from "../ui/trust";

export async function fixAll(runner: Runner): Promise<void> {
  if (!mayRun()) return;
  const folder = await pickFolder();
  if (folder) await runner.fix({ uri: folder.uri.toString(), tests: [] });
}

/** The tests of a file or folder: the one clicked in the explorer, else the one in the editor. */
export async function fixFile(runner: Runner, given?: vscode.Uri): Promise<void> {
  const uri = given ?? vscode.window.activeTextEditor?.document.uri;
  if (!mayRun() || !uri) return;
  const folder = await pickFolder(uri);
  const path = folder && relative(uri.fsPath, folder.uri.fsPath);
  if (path !== undefined) await runner.fix({ uri: uri.toString(), tests: path ? [path] : [] });
}

export async function fixAtCursor(runner: Runner): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!mayRun() || !editor) return;
  const { uri } = editor.document;
  const folder = await pickFolder(uri);
  const path = folder && relative(uri.fsPath, folder.uri.fsPath);
  if (!path) return;
  const names = namesAt(editor.document.getText(), editor.selection.active.line);
  if (names.length > 0) return void (await runner.fix({ uri: uri.toString(), tests: [[path, ...names].join("::")] }));
  const choice = await vscode.window.showInformationMessage(
    "CodeAct: there is no test at the cursor.",
    "Fix This File",
  );
  if (choice) await fixFile(runner, uri);
}

interface Message {
  test?: vscode.TestItem;
}

/** Items of the Testing view, or the message of a failure, whichever extension found the tests. */
export async function fixTestItem(runner: Runner, first: unknown, others: unknown): Promise<void> {
  if (!mayRun()) return;
  const items = [first, ...(Array.isArray(others) ? others : [])].map(toItem).filter((item) => item !== undefined);
  const item = items[0];
  if (!item) return fixAll(runner);
  const folder = await pickFolder(item.uri ?? uriOf(item));
  if (!folder) return;
  const found = await Promise.all(items.map((each) => nodeIds(each, folder)));
  const tests = [...new Set(found.flat())];
  const argument: FixArgument = { uri: (item.uri ?? folder.uri).toString(), tests: tests.includes("") ? [] : tests };
  if (tests.length > 0) await runner.fix(argument);
  else void vscode.window.showWarningMessage(`CodeAct cannot tell which pytest test "${item.label}" is.`);
}

function toItem(given: unknown): vscode.TestItem | undefined {
  const test = (given as Message | undefined)?.test ?? (given as vscode.TestItem | undefined);
  return typeof test?.id === "string" ? test : undefined;
}

/** The node id of an item; of one that is neither file nor test, those of the items below it. */
async function nodeIds(item: vscode.TestItem, folder: vscode.WorkspaceFolder): Promise<string[]> {
  const line = item.range?.start.line;
  const place = { id: item.id, path: item.uri?.fsPath, line };
  const text = item.uri && line !== undefined ? await textOf(item.uri) : undefined;
  const own = toNodeId(place, folder.uri.fsPath, text);
  if (own !== undefined) return [own];
  const below: vscode.TestItem[] = [];
  item.children?.forEach((child) => {
    below.push(child);
  });
  return (await Promise.all(below.map((child) => nodeIds(child, folder)))).flat();
}

function uriOf(item: vscode.TestItem): vscode.Uri | undefined {
  for (let above = item.parent; above; above = above.parent) {
    if (above.uri) return above.uri;
  }
  return undefined;
}

async function textOf(uri: vscode.Uri): Promise<string | undefined> {
  if (!uri.path.endsWith(".py")) return undefined;
  try {
    return (await vscode.workspace.openTextDocument(uri)).getText();
  } catch {
    return undefined;
  }
}
