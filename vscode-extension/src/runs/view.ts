// The run view: a panel per run that shows its steps as they come. Closing it loses nothing.
import * as vscode from "vscode";
import { renderArtifact } from "../pure/artifacts";
import { readMessage, type ToPage } from "../pure/viewMessages";
import type { RunEvent } from "../pure/wire";
import type { Server } from "../server/server";
import { showError } from "../ui/errors";
import { fetchArtifact, saveArtifact } from "./artifacts";
import { pageFor } from "./page";
import type { RunStore } from "./store";

const TYPE = "codeact.run";
const PAUSE = 60; // milliseconds between messages to the page

interface Shown {
  panel: vscode.WebviewPanel;
  run: string;
  ready: boolean;
  waiting: RunEvent[];
  timer: NodeJS.Timeout | undefined;
}

export class RunView implements vscode.Disposable, vscode.WebviewPanelSerializer {
  private readonly shown = new Set<Shown>();
  private readonly subscriptions: vscode.Disposable[];
  /** What became of a run's proposal, as far as this window knows. */
  stateOf: (run: string) => string = () => "open";

  constructor(
    private readonly extension: vscode.Uri,
    private readonly server: Server,
    private readonly store: RunStore,
  ) {
    this.subscriptions = [
      store.onEvent(({ run, event }) => this.pass(run, event)),
      vscode.window.registerWebviewPanelSerializer(TYPE, this),
    ];
  }

  /** Show a run. A panel whose run is over is used again for one that has just begun. */
  async open(run: string, options: { beside?: boolean; focus?: boolean; reuse?: boolean } = {}): Promise<void> {
    const column = options.beside ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    const own = [...this.shown].find((shown) => shown.run === run);
    const free = options.reuse ? [...this.shown].find((shown) => this.store.isOver(shown.run)) : undefined;
    const known = own ?? free;
    if (known) {
      known.panel.reveal(undefined, !options.focus);
      if (known.run !== run) await this.load(known, run);
      return;
    }
    const place = { viewColumn: column, preserveFocus: !options.focus };
    this.adopt(vscode.window.createWebviewPanel(TYPE, "CodeAct", place, { enableFindWidget: true }), run);
  }

  /** Whether the developer sees it now. */
  isVisible(run: string): boolean {
    return [...this.shown].some((shown) => shown.run === run && shown.panel.visible);
  }

  /** A panel of an earlier session of this window. */
  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const run = (state as { run?: unknown } | undefined)?.run;
    if (typeof run === "string" && vscode.workspace.isTrusted) this.adopt(panel, run);
    else panel.dispose();
  }

  /** Tell the page what became of a run's proposal. */
  tellState(run: string): void {
    for (const shown of this.shown) {
      if (shown.run === run) void this.post(shown, { type: "state", state: this.stateOf(run) });
    }
  }

  dispose(): void {
    for (const { panel } of this.shown) panel.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private adopt(panel: vscode.WebviewPanel, run: string): void {
    const shown: Shown = { panel, run, ready: false, waiting: [], timer: undefined };
    this.shown.add(shown);
    panel.iconPath = vscode.Uri.joinPath(this.extension, "media", "icon.svg");
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: ["dist", "media"].map((name) => vscode.Uri.joinPath(this.extension, name)),
    };
    panel.onDidDispose(() => {
      clearTimeout(shown.timer);
      this.shown.delete(shown);
    });
    panel.webview.onDidReceiveMessage((data: unknown) => this.receive(shown, data));
    panel.webview.html = pageFor(panel.webview, this.extension);
  }

  private async receive(shown: Shown, data: unknown): Promise<void> {
    const message = readMessage(data);
    if (message?.type === "ready") await this.load(shown, shown.run);
    if (message?.type === "command") await vscode.commands.executeCommand(`codeact.${message.command}`, shown.run);
    if (message?.type === "artifact") await this.sendArtifact(shown, message.sha256);
    if (message?.type === "save") {
      await saveArtifact(this.server, this.store, shown.run, message.name, message.sha256).catch(showError);
    }
  }

  /** All of a run from its beginning; the page may be new, or was hidden and so forgot everything. */
  private async load(shown: Shown, run: string): Promise<void> {
    shown.run = run;
    try {
      const events = await this.store.read(run);
      shown.ready = true;
      shown.waiting = [];
      shown.panel.title = titleOf(events);
      await this.post(shown, { type: "reset", run, state: this.stateOf(run), events: [...events] });
    } catch (error) {
      shown.panel.dispose();
      void showError(error);
    }
  }

  private pass(run: string, event: RunEvent): void {
    for (const shown of this.shown) {
      if (shown.run !== run || !shown.ready) continue;
      shown.waiting.push(event);
      shown.timer ??= setTimeout(() => this.flush(shown), PAUSE);
    }
  }

  private flush(shown: Shown): void {
    shown.timer = undefined;
    void this.post(shown, { type: "events", events: shown.waiting });
    shown.waiting = [];
  }

  private async sendArtifact(shown: Shown, sha256: string): Promise<void> {
    try {
      const html = renderArtifact(await fetchArtifact(this.server, shown.run, sha256));
      await this.post(shown, { type: "artifact", sha256, html });
    } catch (error) {
      this.server.log.warn(`An artifact of ${shown.run} cannot be shown: ${String(error)}`);
    }
  }

  private post(shown: Shown, message: ToPage): Thenable<boolean> {
    return shown.panel.webview.postMessage(message);
  }
}

function titleOf(events: readonly RunEvent[]): string {
  const started = events[0];
  const kind = started?.event === "started" ? started.task.kind : "";
  const titles: Record<string, string> = { fix: "CodeAct: Fix", ask: "CodeAct: Ask", script: "CodeAct: Script" };
  return titles[kind] ?? "CodeAct";
}
