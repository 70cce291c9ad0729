// Reads the settings that the server is started with. The key comes from the secret storage only.
import * as vscode from "vscode";
import { type Key, PLACES, toInitializationOptions, type Value } from "../pure/options";

export const KEY = "codeact.apiKey";

export async function readInitializationOptions(secrets: vscode.SecretStorage): Promise<object> {
  const settings = vscode.workspace.getConfiguration("codeact");
  const set = new Map<Key, Value>();
  for (const key of Object.keys(PLACES) as Key[]) {
    const value = settings.inspect<Value>(key)?.globalValue;
    if (value !== undefined) set.set(key, value);
  }
  return toInitializationOptions(set, await secrets.get(KEY));
}
