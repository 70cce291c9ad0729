// The language server as the rest of the extension sees it: made ready when it is needed, asked, and told to end.
import * as vscode from "vscode";
import {
  type CancellationToken,
  ExecuteCommandRequest,
  LanguageClient,
  WorkDoneProgressCancelNotification,
} from "vscode-languageclient/node";
import type { RunEvent } from "../pure/wire";
import { clientOptions } from "./client";
import { serverOptions } from "./launch";
import { readInitializationOptions } from "./options";
import { Operation, ProgressRouter } from "./progress";
import { Restarts } from "./restarts";

export type State = "stopped" | "starting" | "ready" | "failed";
export type CommandWrapper = (command: string, args: unknown[]) => Promise<unknown> | undefined;

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private starting: Promise<LanguageClient> | undefined;
  private readonly router = new ProgressRouter();
  private readonly restarts = new Restarts((state) => this.setState(state));
  private readonly states = new vscode.EventEmitter<State>();
  private readonly events = new vscode.EventEmitter<RunEvent>();
  private readonly clients = new vscode.EventEmitter<LanguageClient>();
  private busy = 0;
  private restartWanted = false;
  state: State = "stopped";
  readonly onState = this.states.event;
  readonly onEvent = this.events.event;
  /** A client was made and is about to start: the time to register handlers. */
  readonly onClient = this.clients.event;
  /** What to do instead when the editor calls one of the server's commands, from a lens or a quick fix. */
  wrap: CommandWrapper = () => undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    readonly log: vscode.LogOutputChannel,
  ) {}

  /** The running server; sets it up and starts it if need be. Several callers share one start. */
  ensure(): Promise<LanguageClient> {
    if (this.client?.isRunning()) return Promise.resolve(this.client);
    this.starting ??= (this.client ? this.startAgain(this.client) : this.start()).finally(() => {
      this.starting = undefined;
    });
    return this.starting;
  }

  /** A client whose server ended starts another by itself, and has its commands registered: wait for it, if it can. */
  private async startAgain(client: LanguageClient): Promise<LanguageClient> {
    try {
      await client.start();
    } catch (error) {
      this.log.warn(`The server could not be started again: ${String(error)}`);
    }
    if (client.isRunning()) return client;
    await this.stop();
    return this.start();
  }

  /** Ask for something short. */
  async execute<T>(command: string, argument: object = {}, token?: CancellationToken): Promise<T> {
    const client = await this.ensure();
    const params = { command, arguments: [argument] };
    return (await client.sendRequest(ExecuteCommandRequest.type, params, token)) as T;
  }

  /** Ask for something long, with a notification that shows its progress and can cancel it; with a token, without one. */
  async executeLong<T>(title: string, command: string, argument: object, own?: CancellationToken): Promise<T> {
    await this.ensure();
    if (own) return this.follow<T>(command, argument, new Operation({ report: () => undefined }), own);
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    return vscode.window.withProgress(options, (progress, token) => {
      return this.follow<T>(command, argument, new Operation(progress), token);
    });
  }

  async restart(): Promise<void> {
    this.restarts.forget();
    await this.stop();
    await this.ensure();
  }

  /** Start anew with other settings, once nothing is going on; a server that was never started stays so. */
  async reload(): Promise<void> {
    this.restartWanted = this.busy > 0;
    if (!this.restartWanted && this.client) await this.restart();
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose().catch((error: unknown) => this.log.warn(`The server did not end well: ${String(error)}`));
    this.setState("stopped");
  }

  dispose(): void {
    void this.stop();
  }

  private async follow<T>(
    command: string,
    argument: object,
    operation: Operation,
    token: vscode.CancellationToken,
  ): Promise<T> {
    const opened = this.router.begin(operation);
    const source = new vscode.CancellationTokenSource();
    const cancelled = token.onCancellationRequested(() => void this.cancel(operation, source));
    this.busy += 1;
    try {
      return await this.execute<T>(command, argument, source.token);
    } finally {
      this.busy -= 1;
      opened.dispose();
      cancelled.dispose();
      source.dispose();
      if (this.restartWanted && this.busy === 0) void this.reload();
    }
  }

  /** The progress token ends the work and brings its result; the request itself is given up when that takes long. */
  private async cancel(operation: Operation, source: vscode.CancellationTokenSource): Promise<void> {
    if (operation.token !== undefined) {
      await this.client?.sendNotification(WorkDoneProgressCancelNotification.type, { token: operation.token });
      setTimeout(() => source.cancel(), 5000);
    } else {
      source.cancel();
    }
  }

  private async start(): Promise<LanguageClient> {
    this.setState("starting");
    try {
      const options = await serverOptions(this.context, this.log);
      const initializationOptions = await readInitializationOptions(this.context.secrets);
      const client = new LanguageClient("codeact", "CodeAct", options, {
        ...clientOptions(this.log, this.router, this.restarts, (command, args) => this.wrap(command, args)),
        initializationOptions,
      });
      client.registerFeature({
        fillClientCapabilities: (capabilities) => {
          capabilities.experimental = { ...(capabilities.experimental as object | undefined), codeact: true };
        },
        initialize: () => undefined,
        getState: () => ({ kind: "static" }),
        clear: () => undefined,
      });
      client.onNotification("codeact/event", (event: RunEvent) => this.events.fire(event));
      this.clients.fire(client);
      const began = performance.now();
      await client.start();
      this.log.info(`the server was ready after ${Math.round(performance.now() - began)} ms`);
      this.client = client;
      this.setState("ready");
      return client;
    } catch (error) {
      this.setState("failed");
      throw error;
    }
  }

  private setState(state: State): void {
    this.state = state;
    this.states.fire(state);
  }
}
