// Finds a Python that the server's private environment can be made with.
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { PROBE, type Python, parseProbe, pythonNames } from "../pure/python";

const run = promisify(execFile);

/** The first of these that works and is new enough: the setting, the Python extension's choice, those on PATH. */
export async function findPython(): Promise<{ python?: Python; tried: string[] }> {
  const tried: string[] = [];
  for await (const candidate of candidates()) {
    if (tried.includes(candidate)) continue;
    tried.push(candidate);
    const python = await probe(candidate);
    if (python) return { python, tried };
  }
  return { tried };
}

async function* candidates(): AsyncGenerator<string> {
  const configured = vscode.workspace.getConfiguration("codeact").get<string>("server.python", "");
  if (configured) {
    yield configured;
    return; // what the user names is used, or told to be wrong, but never passed over in silence
  }
  const chosen = await chosenInPythonExtension();
  if (chosen) yield chosen;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (!folder.startsWith("/") && process.platform !== "win32") continue; // "." in PATH would be the workspace
    for (const name of pythonNames(list(folder))) yield join(folder, name);
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Settled in a second, since that extension may be busy or broken and there are other ways. */
async function chosenInPythonExtension(): Promise<string | undefined> {
  interface PythonApi {
    environments?: { getActiveEnvironmentPath(): { path?: string } };
  }
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  if (!extension) return undefined;
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 1000));
  try {
    const api = await Promise.race([Promise.resolve(extension.activate()), late]);
    return api?.environments?.getActiveEnvironmentPath().path;
  } catch {
    return undefined;
  }
}

async function probe(path: string): Promise<Python | undefined> {
  try {
    const { stdout } = await run(path, ["-I", "-c", PROBE], { timeout: 10_000, cwd: "/" });
    return parseProbe(stdout);
  } catch {
    return undefined;
  }
}
