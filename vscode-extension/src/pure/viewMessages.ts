// What the run view's page and the extension say to each other, and what the page offers.
import type { RunModel } from "./runModel";
import type { RunEvent } from "./wire";

export type ToPage =
  | { type: "reset"; run: string; state: string; events: RunEvent[] }
  | { type: "events"; events: RunEvent[] }
  | { type: "state"; state: string }
  | { type: "artifact"; sha256: string; html: string };

export type FromPage =
  | { type: "ready" }
  | { type: "command"; command: string; run: string }
  | { type: "artifact"; run: string; sha256: string }
  | { type: "save"; run: string; name: string; sha256: string };

export interface Action {
  command: string;
  label: string;
  main: boolean;
}

const CANCEL: Action = { command: "cancelRun", label: "Cancel", main: false };
const REVIEW: Action = { command: "reviewRun", label: "Review", main: false };
const ACCEPT: Action = { command: "acceptRun", label: "Accept", main: true };
const DISCARD: Action = { command: "discardRun", label: "Discard", main: false };
const UNDO: Action = { command: "undoRun", label: "Undo", main: false };
const CHOOSE: Action = { command: "chooseModel", label: "Choose Model…", main: false };
const FOLLOW_UP: Action = { command: "followUp", label: "Ask a Follow-up…", main: false };

/** The buttons for a run: `state` tells what became of its proposal. */
export function actionsFor(model: RunModel, state: string): Action[] {
  if (model.status === "running") return model.run ? [CANCEL] : [];
  const last = model.entries.at(-1);
  const result = last?.kind === "result" ? last.result : undefined;
  if (!result) return [];
  const talk = [...(result.answer ? [FOLLOW_UP] : []), ...(result.note && !model.model ? [CHOOSE] : [])];
  if (!result.diff && !result.proposal) return talk;
  if (state === "applied") return [UNDO, REVIEW, ...talk];
  if (state === "discarded") return talk;
  if (model.status === "verified") return [{ ...ACCEPT }, REVIEW, DISCARD, ...talk];
  return [{ ...REVIEW, main: true }, DISCARD, ...talk];
}

const COMMANDS = new Set([CANCEL, REVIEW, ACCEPT, DISCARD, UNDO, FOLLOW_UP, CHOOSE].map((action) => action.command));

/** A message of the page, if it is one that is known: the page shows what models wrote, so nothing else counts. */
export function readMessage(data: unknown): FromPage | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const message = data as Record<string, unknown>;
  const run = typeof message.run === "string" ? message.run : "";
  const { command, sha256 } = message;
  if (message.type === "ready") return { type: "ready" };
  if (message.type === "command" && typeof command === "string" && COMMANDS.has(command)) {
    return { type: "command", command, run };
  }
  if (message.type === "artifact" && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256)) {
    return { type: "artifact", run, sha256 };
  }
  if (message.type === "save" && typeof message.name === "string" && typeof sha256 === "string") {
    return { type: "save", run, name: message.name, sha256 };
  }
  return undefined;
}
