// Files that a run handed over: fetched when they are shown, saved where the developer wants them.
import * as vscode from "vscode";
import { findArtifact } from "../pure/artifacts";
import { base64Of } from "../pure/escape";
import type { Artifact } from "../pure/wire";
import type { Server } from "../server/server";
import { pickFolder } from "../ui/folder";
import type { RunStore } from "./store";

/** A large one, which the events only name. */
export async function fetchArtifact(server: Server, run: string, sha256: string): Promise<Artifact> {
  interface Sent {
    name: string;
    media_type: string;
    base64: string;
  }
  const { name, media_type, base64 } = await server.execute<Sent>("codeact.artifact", { run, sha256 });
  return { name, media_type, data: { base64, sha256 } };
}

/** Ask where to, and write it there. */
export async function saveArtifact(
  server: Server,
  store: RunStore,
  run: string,
  name: string,
  sha256: string,
): Promise<void> {
  const known = findArtifact(await store.read(run), name, sha256);
  const data = known && base64Of(known.data);
  const base64 = data ?? (sha256 ? base64Of((await fetchArtifact(server, run, sha256)).data) : undefined);
  if (base64 === undefined) throw new Error(`${name} is no longer kept.`);
  const folder = await pickFolder();
  const plain = name.split(/[\\/]/).at(-1) || "artifact";
  const options: vscode.SaveDialogOptions = { title: `Save ${plain}`, saveLabel: "Save" };
  if (folder) options.defaultUri = vscode.Uri.joinPath(folder.uri, plain);
  const target = await vscode.window.showSaveDialog(options);
  if (!target) return;
  await vscode.workspace.fs.writeFile(target, Buffer.from(base64, "base64"));
  const choice = await vscode.window.showInformationMessage(`CodeAct: saved ${target.fsPath}`, "Open");
  if (choice) await vscode.commands.executeCommand("vscode.open", target);
}
