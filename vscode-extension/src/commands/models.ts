// Choose Model, Set API Key.
import * as vscode from "vscode";
import { KEY } from "../server/options";
import type { Server } from "../server/server";
import { mayRun } from "../ui/trust";
import { downloadModel, SIZE } from "./download";

interface Choice extends vscode.QuickPickItem {
  /** Of a model that can be chosen without further questions. */
  name?: string;
  choose?: () => Promise<void>;
}

export async function chooseModel(server: Server, secrets: vscode.SecretStorage): Promise<void> {
  if (!mayRun()) return;
  const choice = await pickModel((editors) => choices(server, secrets, editors));
  await choice?.choose?.();
  if (choice?.name) vscode.window.setStatusBarMessage(`$(check) CodeAct asks ${choice.name} from now on`, 6000);
}

/** The list is there at once; what the editor offers joins it as its extensions wake up. */
function pickModel(list: (editors: vscode.LanguageModelChat[]) => Choice[]): Promise<Choice | undefined> {
  const picker = vscode.window.createQuickPick<Choice>();
  picker.title = "Which model shall CodeAct ask?";
  picker.matchOnDescription = true;
  picker.matchOnDetail = true;
  picker.items = list([]);
  picker.busy = true;
  const add = async () => {
    const editors = await editorModels();
    if (editors.length > 0) picker.items = list(editors);
    picker.busy = false;
  };
  const news = vscode.lm?.onDidChangeChatModels(() => void add());
  void add();
  return new Promise((resolve) => {
    picker.onDidAccept(() => resolve(picker.selectedItems[0]));
    picker.onDidHide(() => resolve(undefined));
    picker.show();
  }).finally(() => {
    news?.dispose();
    picker.dispose();
  }) as Promise<Choice | undefined>;
}

function choices(server: Server, secrets: vscode.SecretStorage, editors: vscode.LanguageModelChat[]): Choice[] {
  const separator = (label: string): Choice => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const offered = editors.map((model): Choice => {
    const choose = () => set({ "model.name": "editor", "model.editorModel": model.id, "model.baseUrl": undefined });
    return { name: model.name, label: `$(sparkle) ${model.name}`, description: model.vendor, choose };
  });
  return [
    separator("Without a key"),
    {
      label: "$(wand) Automatic",
      detail: "A model server that answers on this machine, else the embedded model.",
      choose: () => set({ "model.name": undefined, "model.baseUrl": undefined }),
    },
    {
      label: "$(chip) Embedded model",
      detail: `Runs on this machine's CPU, without network after a download of ${SIZE}.`,
      choose: async () => {
        await set({ "model.name": "local", "model.baseUrl": undefined });
        await downloadModel(server);
      },
    },
    ...(offered.length > 0 ? [separator("From this editor"), ...offered] : []),
    separator("Your own"),
    {
      label: "$(server) OpenAI-compatible endpoint…",
      detail: "OpenAI, Ollama, vLLM, llama.cpp, LM Studio.",
      choose: () => chooseEndpoint(secrets),
    },
  ];
}

async function editorModels(): Promise<vscode.LanguageModelChat[]> {
  try {
    return (await vscode.lm?.selectChatModels()) ?? [];
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
