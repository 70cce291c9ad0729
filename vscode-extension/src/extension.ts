// The extension begins and ends here. It starts little by itself: the server, if it is set up and the folder trusted.
import * as vscode from "vscode";
import { App } from "./app";
import { registerParticipant } from "./chat/participant";
import { welcomeToExample } from "./commands/example";
import { registerCommands } from "./commands/register";
import { isSetUp } from "./server/launch";
import { KEY } from "./server/options";
import { StatusItem } from "./ui/status";

export function activate(context: vscode.ExtensionContext): void {
  const began = performance.now();
  const log = vscode.window.createOutputChannel("CodeAct", { log: true });
  const app = new App(context, log);
  const status = new StatusItem(app.server, app.store);
  const icon = vscode.Uri.joinPath(context.extensionUri, "media", "icon.png");
  const participant = registerParticipant(app.runner, app.store, icon);
  context.subscriptions.push(log, app, status, ...(participant ? [participant] : []), ...registerCommands(app));
  context.subscriptions.push(
    vscode.workspace.onDidGrantWorkspaceTrust(() => void begin(app)),
    vscode.workspace.onDidChangeConfiguration((change) => void reloadIfConcerned(app, change)),
    context.secrets.onDidChange(({ key }) => void (key === KEY && reload(app))),
  );
  void begin(app);
  log.info(`activated in ${Math.round(performance.now() - began)} ms`);
}

async function begin(app: App): Promise<void> {
  await Promise.all([startIfSetUp(app), welcomeToExample(app.context)]);
}

/** A start that costs nothing to wait for; making the environment waits for the first command. */
async function startIfSetUp({ context, server }: App): Promise<void> {
  if (!vscode.workspace.isTrusted || (vscode.workspace.workspaceFolders ?? []).length === 0) return;
  try {
    if (await isSetUp(context)) await server.ensure();
  } catch (error) {
    server.log.error(`The server could not be started: ${String(error)}`);
  }
}

async function reloadIfConcerned(app: App, change: vscode.ConfigurationChangeEvent): Promise<void> {
  const groups = ["model", "sandbox", "budget", "server"];
  if (groups.some((group) => change.affectsConfiguration(`codeact.${group}`))) await reload(app);
}

async function reload({ server }: App): Promise<void> {
  try {
    await server.reload();
  } catch (error) {
    server.log.error(`The server could not be started again: ${String(error)}`);
  }
}
