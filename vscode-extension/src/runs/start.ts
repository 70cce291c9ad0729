// Starts a run and stays with it: notification, run view, and what is offered when it ends.
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

export interface Ends {
  ended(result: RunEnded, kind: Kind): Promise<void>;
  begun(run: string, kind: Kind): void;
}

export class Runner {
  constructor(
    private readonly server: Server,
    private readonly store: RunStore,
    private readonly ends: Ends,
  ) {}

  fix(argument: FixArgument): Promise<RunEnded | undefined> {
    return this.run("fix", argument);
  }

  ask(argument: AskArgument): Promise<RunEnded | undefined> {
    return this.run("ask", argument);
  }

  script(argument: { uri: string; instruction: string }): Promise<RunEnded | undefined> {
    return this.run("script", argument);
  }

  private async run(kind: Kind, argument: object): Promise<RunEnded | undefined> {
    if (!mayRun()) return undefined;
    let run = "";
    const listening = this.store.onEvent(({ event }) => {
      if (event.event !== "started" || run) return;
      run = event.run;
      this.ends.begun(run, kind);
    });
    try {
      const result = await this.server.executeLong<RunEnded>(TITLES[kind], `codeact.${kind}`, argument);
      this.store.add(result);
      void this.ends.ended(result, kind);
      return result;
    } catch (error) {
      if (!isCancelled(error)) {
        void showError(error);
        return undefined;
      }
      const result: RunEnded = { event: "result", run, status: "cancelled", message: "Cancelled." };
      if (run) this.store.add(result);
      void this.ends.ended(result, kind);
      return result;
    } finally {
      listening.dispose();
    }
  }
}
