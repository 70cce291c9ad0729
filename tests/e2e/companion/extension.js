// Another extension's tests and another extension's model: CodeAct is not told how either works.
const vscode = require("vscode");

exports.activate = (context) => {
  context.subscriptions.push(findTests(), offerModel());
};

/** One test per function of test_calc.py, with ids that tell nothing; running one fails with a message. */
function findTests() {
  const controller = vscode.tests.createTestController("companion", "Companion");
  const uri = vscode.Uri.joinPath(vscode.workspace.workspaceFolders[0].uri, "test_calc.py");
  const file = controller.createTestItem("7f", "test_calc.py", uri);
  controller.items.add(file);
  ["test_add", "test_half", "test_same"].forEach((name, number) => {
    const item = controller.createTestItem(`7f/${number}`, name, uri);
    item.range = new vscode.Range(3 + 4 * number, 0, 4 + 4 * number, 0);
    file.children.add(item);
  });
  controller.createRunProfile("Run", vscode.TestRunProfileKind.Run, (request) => {
    const run = controller.createTestRun(request);
    for (const item of request.include ?? []) {
      const message = new vscode.TestMessage("assert -1 == 3");
      message.location = new vscode.Location(uri, item.range.end);
      run.failed(item, message, 5);
    }
    run.end();
  });
  return controller;
}

/** A model that says what it is told to, piece by piece. */
function offerModel() {
  const model = { id: "parrot", name: "Parrot", family: "parrot", version: "1" };
  const limits = { maxInputTokens: 100_000, maxOutputTokens: 10_000, capabilities: {} };
  return vscode.lm.registerLanguageModelChatProvider("companion", {
    provideLanguageModelChatInformation: () => [{ ...model, ...limits }],
    provideTokenCount: (_, text) => Math.ceil(String(text).length / 4),
    provideLanguageModelChatResponse: async (_, messages, options, progress, token) => {
      for (const piece of (process.env.CODEACT_E2E_ANSWER ?? "").match(/[\s\S]{1,12}/g)) {
        if (token.isCancellationRequested) return;
        progress.report(new vscode.LanguageModelTextPart(piece));
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
  });
}
