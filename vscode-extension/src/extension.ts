import * as vscode from "vscode";
import { Runner } from "./runs/start";
import { RunStore } from "./runs/store";
import { Server } from "./server/server";
import { showError } from "./ui/errors";
import { pickFolder } from "./ui/folder";

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("CodeAct", { log: true });
  const server = new Server(context, log);
  const store = new RunStore(server);
  const runner = new Runner(server, store, {
    begun: () => undefined,
    ended: async (result) => {
      if (result.status !== "verified") {
        void vscode.window.showInformationMessage(result.message);
        return;
      }
      const choice = await vscode.window.showInformationMessage(result.message, "Accept");
      if (choice) await server.execute("codeact.apply", { run: result.run });
    },
  });
  server.wrap = (command, args) => (command === "codeact.fix" ? runner.fix(args[0] as never) : undefined);
  context.subscriptions.push(
    log,
    server,
    store,
    vscode.commands.registerCommand("codeact.fixFailing", async () => {
      const folder = await pickFolder();
      if (folder) await runner.fix({ uri: folder.uri.toString(), tests: [] }).catch(showError);
    }),
    vscode.commands.registerCommand("codeact.showLog", () => log.show()),
    vscode.commands.registerCommand("codeact.restartServer", () => server.restart().catch(showError)),
    vscode.commands.registerCommand("codeact.setUp", () => server.ensure().catch(showError)),
  );
}
