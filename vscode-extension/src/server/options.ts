// Reads the settings that the server is started with. The key comes from the secret storage only.
import * as vscode from "vscode";
import { toInitializationOptions } from "../pure/options";

export const KEY = "codeact.apiKey";

export async function readInitializationOptions(secrets: vscode.SecretStorage): Promise<object> {
  const settings = vscode.workspace.getConfiguration("codeact");
  const keys = [
    ...["model.name", "model.baseUrl", "model.context", "model.threads", "model.timeout"],
    ...["sandbox.backend", "sandbox.python", "sandbox.image", "budget.maxSteps", "budget.timeout"],
  ];
  const set = new Set(keys.filter((key) => settings.inspect(key)?.globalValue !== undefined));
  return toInitializationOptions({
    model: {
      name: settings.get("model.name", "auto"),
      baseUrl: settings.get("model.baseUrl", ""),
      context: settings.get("model.context", 16384),
      threads: settings.get("model.threads", 0),
      timeout: settings.get("model.timeout", 120),
    },
    sandbox: {
      backend: settings.get("sandbox.backend", "auto"),
      python: settings.get("sandbox.python", ""),
      image: settings.get("sandbox.image", ""),
    },
    budget: { maxSteps: settings.get("budget.maxSteps", 12), timeout: settings.get("budget.timeout", 900) },
    set,
    apiKey: await secrets.get(KEY),
  });
}
