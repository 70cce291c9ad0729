// The chat participant @codeact: plain words ask, /fix and /script do what the commands do.
import * as vscode from "vscode";
import { describeResult } from "../pure/chatText";
import type { RunEnded, RunEvent } from "../pure/wire";
import type { Runner } from "../runs/start";
import type { RunStore } from "../runs/store";
import { pickFolder } from "../ui/folder";

/** Where the editor has a chat; elsewhere nothing. */
export function registerParticipant(runner: Runner, store: RunStore, icon: vscode.Uri): vscode.Disposable | undefined {
  if (!vscode.chat?.createChatParticipant) return undefined;
  const participant = vscode.chat.createChatParticipant("codeact.chat", async (request, context, stream, token) => {
    const result = await answer(runner, store, request, context, stream, token);
    return result ? { metadata: { run: result.run } } : {};
  });
  participant.iconPath = icon;
  participant.followupProvider = {
    provideFollowups: (result) =>
      result.metadata?.run ? [{ prompt: "Explain what you did, step by step.", label: "Explain it" }] : [],
  };
  return participant;
}

async function answer(
  runner: Runner,
  store: RunStore,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  stream: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<RunEnded | undefined> {
  if (!vscode.workspace.isTrusted) {
    stream.markdown(
      "This folder is not trusted yet, so nothing runs here. *Workspaces: Manage Workspace Trust* changes that.",
    );
    return undefined;
  }
  const folder = await pickFolder();
  if (!folder) return undefined;
  const listening = store.onEvent(({ event }) => tell(stream, event));
  try {
    const result = await start(runner, folder.uri.toString(), request, context, token);
    if (result) show(stream, result);
    else stream.markdown("That did not work: the notification tells why.");
    return result;
  } finally {
    listening.dispose();
  }
}

function start(
  runner: Runner,
  uri: string,
  request: vscode.ChatRequest,
  context: vscode.ChatContext,
  token: vscode.CancellationToken,
): Promise<RunEnded | undefined> {
  const instruction = request.prompt;
  if (request.command === "fix") {
    const tests = instruction.split(/\s+/).filter((word) => word.includes("::") || word.endsWith(".py"));
    return runner.fix({ uri, tests, ...(tests.length > 0 || !instruction ? {} : { instruction }) }, token);
  }
  if (request.command === "script") return runner.script({ uri, instruction }, token);
  const run = previousRun(context);
  return runner.ask(run ? { uri, instruction, run } : { uri, instruction }, token);
}

function previousRun(context: vscode.ChatContext): string | undefined {
  const turns = context.history.filter((turn) => turn instanceof vscode.ChatResponseTurn);
  const run: unknown = turns.at(-1)?.result.metadata?.run;
  return typeof run === "string" ? run : undefined;
}

function tell(stream: vscode.ChatResponseStream, event: RunEvent): void {
  if (event.event === "progress") stream.progress(event.message);
  if (event.event === "step") stream.progress(`Step ${event.step.number}`);
}

function show(stream: vscode.ChatResponseStream, result: RunEnded): void {
  stream.markdown(describeResult(result));
  const button = (command: string, title: string) => stream.button({ command, title, arguments: [result.run] });
  if (result.status === "verified" && result.diff) {
    button("codeact.reviewRun", "Review");
    button("codeact.acceptRun", "Accept");
  }
  button("codeact.openRun", "Show Run");
}
