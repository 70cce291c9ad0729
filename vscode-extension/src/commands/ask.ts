// Ask CodeAct, and Write Automation Script.
import * as vscode from "vscode";
import type { AskArgument } from "../pure/wire";
import type { Runner } from "../runs/start";
import { pickFolder } from "../ui/folder";
import { mayRun } from "../ui/trust";

/** Ask about the folder: with the selection of the editor, or the file that was clicked in the explorer. */
export async function ask(runner: Runner, given?: vscode.Uri, words?: string): Promise<void> {
  if (!mayRun()) return;
  const folder = await pickFolder(given);
  if (!folder) return;
  const selection = await selectionFor(given);
  const instruction =
    words ??
    (await vscode.window.showInputBox({
      title: "Ask CodeAct",
      prompt: promptFor(selection),
      placeHolder: "Which functions have no test? Chart the commits per month. Rename Basket to Cart.",
      ignoreFocusOut: true,
    }));
  if (!instruction?.trim()) return;
  const argument: AskArgument = { uri: (given ?? folder.uri).toString(), instruction };
  await runner.ask(selection ? { ...argument, selection } : argument);
}

/** Ask more about what a run has answered. */
export async function followUp(runner: Runner, run: string): Promise<void> {
  const folder = mayRun() ? await pickFolder() : undefined;
  const instruction =
    folder &&
    (await vscode.window.showInputBox({
      title: "Ask a Follow-up",
      prompt: "CodeAct remembers what was said and done in this run.",
      ignoreFocusOut: true,
    }));
  if (folder && instruction?.trim()) await runner.ask({ uri: folder.uri.toString(), instruction, run });
}

export async function writeScript(runner: Runner): Promise<void> {
  const folder = mayRun() ? await pickFolder() : undefined;
  const instruction =
    folder &&
    (await vscode.window.showInputBox({
      title: "Write Automation Script",
      prompt: "It is run on a copy of the folder first. You see the script and all it would change.",
      placeHolder: "Move every TODO comment into TODO.md, with file and line.",
      ignoreFocusOut: true,
    }));
  if (folder && instruction?.trim()) await runner.script({ uri: folder.uri.toString(), instruction });
}

type Selected = NonNullable<AskArgument["selection"]>;

/** Lines of the active editor, or all of the file that was clicked. */
async function selectionFor(given?: vscode.Uri): Promise<Selected | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (
    editor &&
    editor.document.uri.scheme === "file" &&
    (!given || given.toString() === editor.document.uri.toString())
  ) {
    const { selection, document } = editor;
    if (!selection.isEmpty) {
      const text = document.getText(selection);
      return { uri: document.uri.toString(), start: selection.start.line + 1, end: selection.end.line + 1, text };
    }
  }
  return given ? fileSelection(given) : undefined;
}

const LARGEST = 100_000; // characters of a file to send along

async function fileSelection(uri: vscode.Uri): Promise<Selected | undefined> {
  try {
    const document = await vscode.workspace.openTextDocument(uri);
    const text = document.getText();
    return text.length > LARGEST ? undefined : { uri: uri.toString(), start: 1, end: document.lineCount, text };
  } catch {
    return undefined; // a folder, or no text
  }
}

function promptFor(selection: Selected | undefined): string {
  if (!selection) return "About this folder: a question, an analysis, a chart, or a change.";
  const name = vscode.workspace.asRelativePath(vscode.Uri.parse(selection.uri));
  const lines =
    selection.start === selection.end ? `line ${selection.start}` : `lines ${selection.start} to ${selection.end}`;
  return `About ${name}, ${lines}.`;
}
