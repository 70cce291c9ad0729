// Choose Model, Set API Key, Download Embedded Model.
import * as vscode from "vscode";
import type { KnownModel } from "../pure/wire";
import { KEY } from "../server/options";
import type { Server } from "../server/server";
import { isCancelled } from "../ui/errors";
import { mayRun } from "../ui/trust";

export const SIZE = "1.1 GB"; // of the embedded model, told before its download

interface Choice extends vscode.QuickPickItem {
  choose?: () => Promise<void>;
}

export async function chooseModel(server: Server, secrets: vscode.SecretStorage): Promise<void> {
  if (!mayRun()) return;
  const editors = (await editorModels()).map((model): Choice => {
    const choose = () => set({ "model.name": "editor", "model.editorModel": model.id, "model.baseUrl": undefined });
    return { label: `$(sparkle) ${model.name}`, description: `${model.vendor} · offered by this editor`, choose };
  });
  const choices: Choice[] = [
    { label: "Without a key", kind: vscode.QuickPickItemKind.Separator },
    {
      label: "$(wand) Automatic",
      description: "a model server that answers on this machine, else the embedded model",
      choose: () => set({ "model.name": undefined, "model.baseUrl": undefined }),
    },
    {
      label: "$(chip) Embedded model",
      description: `runs on this machine's CPU, no network afterwards; a download of ${SIZE}, once`,
      choose: async () => {
        await set({ "model.name": "local", "model.baseUrl": undefined });
        await downloadModel(server);
      },
    },
    ...(editors.length > 0 ? [{ label: "From this editor", kind: vscode.QuickPickItemKind.Separator }] : []),
    ...editors,
    { label: "Your own", kind: vscode.QuickPickItemKind.Separator },
    {
      label: "$(server) OpenAI-compatible endpoint…",
      description: "OpenAI, Ollama, vLLM, llama.cpp, LM Studio",
      choose: () => chooseEndpoint(secrets),
    },
  ];
  const title = "Which model shall CodeAct ask?";
  const choice = await vscode.window.showQuickPick(choices, { title, matchOnDescription: true });
  await choice?.choose?.();
}

async function editorModels(): Promise<vscode.LanguageModelChat[]> {
  if (!vscode.lm) return [];
  const late = new Promise<vscode.LanguageModelChat[]>((resolve) => setTimeout(() => resolve([]), 1500));
  try {
    return await Promise.race([vscode.lm.selectChatModels(), late]);
  } catch {
    return [];
  }
}

async function chooseEndpoint(secrets: vscode.SecretStorage): Promise<void> {
  const settings = vscode.workspace.getConfiguration("codeact");
  const baseUrl = await vscode.window.showInputBox({
    title: "Endpoint (1 of 3)",
    prompt: "Its address. For Ollama: http://127.0.0.1:11434/v1. Leave it empty for OpenAI.",
    value: settings.get("model.baseUrl", ""),
    validateInput: (text) =>
      !text || /^https?:\/\/\S+$/.test(text) ? undefined : "An address begins with http:// or https://",
    ignoreFocusOut: true,
  });
  if (baseUrl === undefined) return;
  const known = settings.get("model.name", "");
  const name = await vscode.window.showInputBox({
    title: "Model (2 of 3)",
    prompt: "Its name at that endpoint, such as qwen2.5-coder:14b.",
    value: ["auto", "local", "editor"].includes(known) ? "" : known,
    validateInput: (text) => (text.trim() ? undefined : "A name is needed."),
    ignoreFocusOut: true,
  });
  if (!name?.trim()) return;
  await setApiKey(secrets, "API Key (3 of 3)");
  await set({ "model.name": name.trim(), "model.baseUrl": baseUrl || undefined });
}

async function set(values: Record<string, string | undefined>): Promise<void> {
  const settings = vscode.workspace.getConfiguration("codeact");
  for (const [key, value] of Object.entries(values)) {
    await settings.update(key, value, vscode.ConfigurationTarget.Global);
  }
  const name = values["model.name"];
  await vscode.commands.executeCommand("setContext", "codeact.hasModel", name !== undefined && name !== "local");
}

/** The key goes to the editor's secret storage and nowhere else; an empty one removes it. */
export async function setApiKey(secrets: vscode.SecretStorage, title = "Set API Key"): Promise<void> {
  const known = (await secrets.get(KEY)) !== undefined;
  const key = await vscode.window.showInputBox({
    title,
    prompt: known
      ? "A key is stored. Type another one, or nothing to keep it, or - to remove it."
      : "It is kept in the editor's secret storage, never in a settings file. Leave it empty if none is needed.",
    password: true,
    ignoreFocusOut: true,
  });
  if (key?.trim() === "-") {
    await secrets.delete(KEY);
    void vscode.window.showInformationMessage("CodeAct: the API key was removed.");
  } else if (key?.trim()) {
    await secrets.store(KEY, key.trim());
    void vscode.window.showInformationMessage("CodeAct: the API key is stored.");
  }
}

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
