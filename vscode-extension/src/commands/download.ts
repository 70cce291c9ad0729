// Download Embedded Model: its size is told first, and it goes on where it broke off.
import * as vscode from "vscode";
import type { KnownModel } from "../pure/wire";
import type { Server } from "../server/server";
import { isCancelled } from "../ui/errors";
import { mayRun } from "../ui/trust";

export const SIZE = "1.1 GB";

/** Fetch the embedded model, having told its size. */
export async function downloadModel(server: Server): Promise<void> {
  if (!mayRun()) return;
  const known = await server.execute<KnownModel[]>("codeact.models");
  const model = known.find((each) => /1\.5b|qwen/i.test(each.name)) ?? known[0];
  if (model?.installed) {
    await vscode.commands.executeCommand("setContext", "codeact.hasModel", true);
    void vscode.window.showInformationMessage(`CodeAct: the embedded model (${model.name}) is here already.`);
    return;
  }
  const size = model?.size ? `${(model.size / 1e9).toFixed(1)} GB` : SIZE;
  const message = `Download the embedded model, ${size}?`;
  const detail =
    "It runs on this machine and needs no key, no account and no network afterwards. A download that breaks off goes on where it stopped.";
  const choice = await vscode.window.showInformationMessage(message, { modal: true, detail }, `Download ${size}`);
  if (!choice) return;
  try {
    await server.executeLong(
      "CodeAct is downloading its model",
      "codeact.pullModel",
      model ? { name: model.name } : {},
    );
  } catch (error) {
    if (isCancelled(error)) return;
    throw error;
  }
  await vscode.commands.executeCommand("setContext", "codeact.hasModel", true);
  void vscode.window.showInformationMessage("CodeAct: the embedded model is ready.");
}
