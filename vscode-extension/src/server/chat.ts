// The provider "editor": the server asks, a model of this editor answers, with the editor's own consent dialog.
import * as vscode from "vscode";
import { type LanguageClient, ResponseError } from "vscode-languageclient/node";
import { type ChatMessage, toTurns } from "../pure/chat";

const FAILED = -32803;

interface ChatRequest {
  id: string;
  messages: ChatMessage[];
  max_tokens?: number;
  temperature?: number;
}

/** Answer the server's requests; to be called before the client starts. */
export function answerChats(client: LanguageClient): void {
  const open = new Map<string, vscode.CancellationTokenSource>();
  client.onRequest("codeact/chat", async (request: ChatRequest, token: vscode.CancellationToken) => {
    const source = new vscode.CancellationTokenSource();
    token.onCancellationRequested(() => source.cancel());
    open.set(request.id, source);
    try {
      return await answer(client, request, source.token);
    } catch (error) {
      throw new ResponseError(FAILED, explain(error));
    } finally {
      open.delete(request.id);
      source.dispose();
    }
  });
  client.onNotification("codeact/cancelChat", ({ id }: { id: string }) => open.get(id)?.cancel());
}

async function answer(
  client: LanguageClient,
  request: ChatRequest,
  token: vscode.CancellationToken,
): Promise<{ text: string; cut: boolean }> {
  const model = await chooseModel();
  const messages = toTurns(request.messages).map(({ role, content }) =>
    role === "assistant"
      ? vscode.LanguageModelChatMessage.Assistant(content)
      : vscode.LanguageModelChatMessage.User(content),
  );
  const modelOptions: Record<string, unknown> = {};
  if (request.max_tokens !== undefined) modelOptions.max_tokens = request.max_tokens;
  if (request.temperature !== undefined) modelOptions.temperature = request.temperature;
  const justification = "CodeAct asks a model of this editor to work on your task.";
  const response = await model.sendRequest(messages, { justification, modelOptions }, token);
  let text = "";
  for await (const part of response.text) {
    text += part;
    void client.sendNotification("codeact/chatText", { id: request.id, text: part });
  }
  return { text, cut: false };
}

async function chooseModel(): Promise<vscode.LanguageModelChat> {
  if (!vscode.lm) throw new Error("This editor offers no models. Choose another one: CodeAct: Choose Model.");
  const id = vscode.workspace.getConfiguration("codeact").get("model.editorModel", "");
  const [model] = await vscode.lm.selectChatModels(id ? { id } : {});
  if (model) return model;
  const what = id ? `does not offer the model ${id}` : "offers no models";
  throw new Error(`This editor ${what}. Sign in to its chat, or choose another model: CodeAct: Choose Model.`);
}

function explain(error: unknown): string {
  if (!vscode.LanguageModelError || !(error instanceof vscode.LanguageModelError)) {
    return error instanceof Error ? error.message : String(error);
  }
  const known: Record<string, string> = {
    [vscode.LanguageModelError.NoPermissions.name]: "You did not allow CodeAct to use this model.",
    [vscode.LanguageModelError.Blocked.name]: "The model's quota is used up, or it refused the request.",
    [vscode.LanguageModelError.NotFound.name]: "This model is gone. Choose another one: CodeAct: Choose Model.",
  };
  return known[error.code] ?? error.message;
}
