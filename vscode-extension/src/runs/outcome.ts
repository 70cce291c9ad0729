// What is said, and offered, when a run ends.
import * as vscode from "vscode";
import type { Kind, RunEnded } from "../pure/wire";

type Show = (text: string, ...buttons: string[]) => Thenable<string | undefined>;

interface Offer {
  show: Show;
  text: string;
  buttons: Record<string, string>;
}

/** One line and its buttons; whatever is chosen is done with the run. An answer that is being looked at needs neither. */
export async function tellOutcome(result: RunEnded, kind: Kind, visible: boolean): Promise<void> {
  if (visible && kind === "ask" && result.status === "answered") {
    vscode.window.setStatusBarMessage("$(check) CodeAct has answered", 4000);
    return;
  }
  const { show, text, buttons } = offerFor(result, kind);
  const choice = await show(text, ...Object.keys(buttons));
  const command = choice && buttons[choice];
  if (command) await vscode.commands.executeCommand(command, result.run);
}

function offerFor(result: RunEnded, kind: Kind): Offer {
  const said = result.status === "verified" ? [result.message] : [result.message, result.note];
  const text = `CodeAct: ${oneLine(said.filter(Boolean).join(". "))}`;
  const proposes = Boolean(result.diff || result.proposal);
  const { showInformationMessage, showWarningMessage } = vscode.window;
  const decide = { Review: "codeact.reviewRun", Accept: "codeact.acceptRun", Discard: "codeact.discardRun" };
  switch (result.status) {
    case "verified":
      return { show: showInformationMessage, text, buttons: proposes ? decide : { "Show Run": "codeact.openRun" } };
    case "unverified":
      return { show: showWarningMessage, text, buttons: { Review: decide.Review, Discard: decide.Discard } };
    case "answered": {
      const answered = kind === "ask" ? "CodeAct has answered." : text;
      return { show: showInformationMessage, text: answered, buttons: { "Show Answer": "codeact.openRun" } };
    }
    case "cancelled":
      return { show: showInformationMessage, text: "CodeAct: cancelled. Your files are untouched.", buttons: {} };
    case "failed":
      return { show: showWarningMessage, text, buttons: failedButtons(result) };
  }
}

function failedButtons(result: RunEnded): Record<string, string> {
  const buttons: Record<string, string> = result.run ? { "Show Run": "codeact.openRun" } : {};
  if (/codeact model pull/.test(result.message)) buttons["Download Model"] = "codeact.downloadModel";
  else if (/\bkey\b/i.test(result.message)) buttons["Set API Key"] = "codeact.setApiKey";
  else if (/\bmodel\b/i.test(result.message)) buttons["Choose Model"] = "codeact.chooseModel";
  if (/sandbox|bubblewrap|docker/i.test(result.message)) buttons.Doctor = "codeact.showDoctor";
  return buttons;
}

function oneLine(message: string): string {
  const text = message.replace(/\s+/g, " ").trim() || "the run is over.";
  return text.length > 400 ? `${text.slice(0, 399)}…` : text;
}
