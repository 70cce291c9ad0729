// The server's private environment: a virtual environment in the extension's storage, made once per version.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type * as vscode from "vscode";
import { explainSetUpFailure, type Python } from "../pure/python";

const MARKER = "complete";

export class SetUpError extends Error {}

export interface Places {
  /** The folder of the extension, with `server/*.whl` and `server/requirements.txt`. */
  extension: string;
  /** The folder of the extension's global storage. */
  storage: string;
}

/** The interpreter of the environment for this version of the server, whether it exists yet or not. */
export async function locate(
  places: Places,
): Promise<{ folder: string; python: string; wheel: string; ready: boolean }> {
  const bundle = join(places.extension, "server");
  const wheel = (await readdir(bundle)).find((name) => name.endsWith(".whl"));
  if (!wheel) throw new SetUpError(`The extension is incomplete: ${bundle} has no wheel. Install it again.`);
  const requirements = await readFile(join(bundle, "requirements.txt"));
  const hash = createHash("sha256")
    .update(await readFile(join(bundle, wheel)))
    .update(requirements);
  const folder = join(places.storage, `server-${hash.digest("hex").slice(0, 12)}`);
  const python = process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
  return { folder, python, wheel: join(bundle, wheel), ready: existsSync(join(folder, MARKER)) && existsSync(python) };
}

/** Make the environment. Each step is told to `report`; what the programs print goes to `log`. */
export async function make(
  places: Places,
  python: Python,
  report: (message: string) => void,
  log: (line: string) => void,
  token: vscode.CancellationToken,
): Promise<void> {
  const { folder, python: own, wheel } = await locate(places);
  await mkdir(places.storage, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  const call = (program: string, ...args: string[]) => execute(program, args, places.storage, log, token);
  const pip = [
    "-I",
    "-m",
    "pip",
    "--disable-pip-version-check",
    "--no-input",
    "--retries",
    "2",
    "install",
    "--no-warn-script-location",
  ];
  try {
    report(`making an environment with Python ${python.version}`);
    await call(python.path, "-I", "-m", "venv", folder);
    report("fetching the packages it needs (once, about a minute)");
    await call(own, ...pip, "--require-hashes", "-r", join(places.extension, "server", "requirements.txt"));
    report("installing the language server");
    await call(own, ...pip, "--no-deps", "--no-index", wheel);
    // The sandbox runs as another user than root and reads this environment.
    if (process.platform !== "win32") await call("/bin/chmod", "-R", "a+rX", folder);
    await writeFile(join(folder, MARKER), new Date().toISOString());
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  await removeOthers(places.storage, folder);
}

async function removeOthers(storage: string, current: string): Promise<void> {
  for (const name of await readdir(storage)) {
    const folder = join(storage, name);
    if (/^server-[0-9a-f]{12}$/.test(name) && folder !== current) await rm(folder, { recursive: true, force: true });
  }
}

function execute(
  program: string,
  args: string[],
  cwd: string,
  log: (line: string) => void,
  token: vscode.CancellationToken,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (token.isCancellationRequested) return reject(new SetUpError("Cancelled."));
    log(`$ ${program} ${args.join(" ")}`);
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const note = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-20_000);
      log(chunk.toString().trimEnd());
    };
    child.stdout.on("data", note);
    child.stderr.on("data", note);
    const subscription = token.onCancellationRequested(() => child.kill());
    child.on("error", (error) => {
      subscription.dispose();
      reject(new SetUpError(`${program} could not be started: ${error.message}`));
    });
    child.on("close", (code) => {
      subscription.dispose();
      if (token.isCancellationRequested) reject(new SetUpError("Cancelled."));
      else if (code === 0) resolve();
      else reject(new SetUpError(explainSetUpFailure(output)));
    });
  });
}
