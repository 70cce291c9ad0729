// Starts a run and stays with it until it has ended, whichever way it was asked for.
import type { CancellationToken } from "vscode";
import type { AskArgument, FixArgument, Kind, RunEnded } from "../pure/wire";
import type { Server } from "../server/server";
import { isCancelled, showError } from "../ui/errors";
import { mayRun } from "../ui/trust";
import type { RunStore } from "./store";

const TITLES: Record<Kind, string> = {
  fix: "CodeAct is fixing tests",
  ask: "CodeAct is working on your question",
  script: "CodeAct is writing a script",
};

/** What happens when a run has begun and when it has ended, unless somebody else shows it. */
export interface Listener {
  begun(run: string): void;
  ended(result: RunEnded, kind: Kind): void;
}

export class Runner {
  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly listener: Listener,
  ) {}

  /** All of these: the result, or undefined if there is none; why not has been shown then. With a token the run is
   * neither shown nor offered: whoever gave the token does that. */
  fix(argument: FixArgument, own?: CancellationToken): Promise<RunEnded | undefined> {
    return this.run("fix", argument, own);
  }

  ask(argument: AskArgument, own?: CancellationToken): Promise<RunEnded | undefined> {
    return this.run("ask", argument, own);
  }

  script(argument: { uri: string; instruction: string }, own?: CancellationToken): Promise<RunEnded | undefined> {
    return this.run("script", argument, own);
  }

  private async run(kind: Kind, argument: object, own?: CancellationToken): Promise<RunEnded | undefined> {
    if (!mayRun()) return undefined;
    let run = "";
    const listening = this.store.onEvent(({ event }) => {
      if (event.event !== "started" || event.task.kind !== kind || run) return;
      run = event.run;
      if (!own) this.listener.begun(run);
    });
    try {
      return this.finish(
        await this.server.executeLong<RunEnded>(TITLES[kind], `codeact.${kind}`, argument, own),
        kind,
        own,
      );
    } catch (error) {
      if (isCancelled(error)) {
        return this.finish({ event: "result", run, status: "cancelled", message: "Cancelled." }, kind, own);
      }
      if (run) this.store.end(run, error instanceof Error ? error.message : String(error));
      void showError(error);
      return undefined;
    } finally {
      listening.dispose();
    }
  }

  private finish(result: RunEnded, kind: Kind, own?: CancellationToken): RunEnded {
    if (result.run) this.store.add(result);
    if (!own) this.listener.ended(result, kind);
    return result;
  }
}
