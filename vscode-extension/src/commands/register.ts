// Every command of the extension. A command that fails says why, in one place.
import * as vscode from "vscode";
import type { App } from "../app";
import type { RunRow } from "../pure/runs";
import type { Node } from "../review/tree";
import { showError } from "../ui/errors";
import { pickFolder } from "../ui/folder";
import { mayRun } from "../ui/trust";
import { ask, followUp, writeScript } from "./ask";
import { showDoctor } from "./doctor";
import { downloadModel } from "./download";
import { openExample } from "./example";
import { fixAll, fixAtCursor, fixFile, fixTestItem } from "./fix";
import { showMenu } from "./menu";
import { chooseModel, setApiKey } from "./models";

type Handler = (first?: unknown, second?: unknown) => unknown;

export function registerCommands(app: App): vscode.Disposable[] {
  const all = { ...tasks(app), ...runs(app), ...reviews(app), ...machine(app) };
  return Object.entries(all).map(([name, handler]) =>
    vscode.commands.registerCommand(`codeact.${name}`, async (first?: unknown, second?: unknown) => {
      try {
        await handler(first, second);
      } catch (error) {
        void showError(error);
      }
    }),
  );
}

function tasks({ runner, server }: App): Record<string, Handler> {
  return {
    fixFailing: () => fixAll(runner),
    fixFile: (uri) => fixFile(runner, asUri(uri)),
    fixAtCursor: () => fixAtCursor(runner),
    fixTestItem: (item, others) => fixTestItem(runner, item, others),
    findFailing: async () => {
      const folder = mayRun() ? await pickFolder() : undefined;
      const argument = { uri: folder?.uri.toString(), tests: [] };
      if (folder) await server.executeLong("CodeAct is running the tests", "codeact.test", argument);
    },
    askAnything: (uri, words) => ask(runner, asUri(uri), typeof words === "string" ? words : undefined),
    writeScript: () => writeScript(runner),
  };
}

function runs({ runner, server, store, tree, view }: App): Record<string, Handler> {
  const withRun = (fits: (row: RunRow) => boolean, act: (run: string) => unknown): Handler => {
    return async (given) => {
      if (!mayRun()) return;
      await server.ensure();
      if (tree.list().length === 0) await tree.refresh();
      const run = tree.meant(given, fits);
      if (run) await act(run);
      else void vscode.window.showInformationMessage("CodeAct: there is no such run yet.");
    };
  };
  return {
    showRuns: async () => {
      await vscode.commands.executeCommand("codeact.runs.focus");
      if (!vscode.workspace.isTrusted) return;
      await server.ensure();
      await tree.refresh();
    },
    refreshRuns: async () => {
      if (!mayRun()) return;
      await server.ensure();
      await tree.refresh();
    },
    openRun: withRun(
      () => true,
      (run) => view.open(run, { focus: true }),
    ),
    followUp: withRun(
      (row) => row.context.includes("ask"),
      (run) => followUp(runner, run),
    ),
    cancelRun: withRun(
      (row) => row.context.includes("running"),
      (run) => server.execute("codeact.cancel", { run: run || store.running()[0] }),
    ),
  };
}

function reviews({ server, tree, reviewer, decisions }: App): Record<string, Handler> {
  const proposes = (row: RunRow) => row.context.includes("proposal");
  const decide = (fits: (row: RunRow) => boolean, act: (run: string) => Promise<void>): Handler => {
    return async (given) => {
      if (!mayRun()) return;
      await server.ensure();
      const run = typeof given === "string" ? given : ((given as RunRow | undefined)?.run ?? reviewer.run);
      if (!run && tree.list().length === 0) await tree.refresh();
      const meant = run ?? tree.meant(undefined, fits);
      if (meant) await act(meant);
      else void vscode.window.showInformationMessage("CodeAct: there is no proposal that this can be done with.");
    };
  };
  const isOpen = (row: RunRow) => row.context.includes("open-proposal");
  return {
    reviewRun: decide(proposes, (run) => reviewer.open(run)),
    verifyRun: decide(proposes, (run) => decisions.verify(run)),
    acceptRun: decide(isOpen, (run) => decisions.accept(run)),
    acceptSelected: () => decisions.acceptSelected(),
    discardRun: decide(isOpen, (run) => decisions.discard(run)),
    undoRun: decide(
      (row) => row.context.includes("applied-proposal"),
      (run) => decisions.undo(run),
    ),
    openDiff: (node) => reviewer.openDiff(node as Node),
    openReview: () => reviewer.openDiffs(),
  };
}

function machine({ context, server, store }: App): Record<string, Handler> {
  return {
    setApiKey: () => setApiKey(context.secrets),
    chooseModel: () => chooseModel(server, context.secrets),
    downloadModel: () => downloadModel(server),
    showDoctor: async () => {
      if (mayRun()) await showDoctor(server);
    },
    setUp: async () => {
      if (mayRun()) await server.ensure();
    },
    restartServer: async () => {
      if (mayRun()) await server.restart();
    },
    showLog: () => server.log.show(),
    openExample: () => openExample(context),
    openWalkthrough: () =>
      vscode.commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`, false),
    showMenu: () => showMenu(store),
  };
}

function asUri(given: unknown): vscode.Uri | undefined {
  return given instanceof vscode.Uri ? given : undefined;
}
