// Doctor: what works on this machine, what does not, and what mends it.
import * as vscode from "vscode";
import type { Finding } from "../pure/wire";
import type { Server } from "../server/server";

interface Row extends vscode.QuickPickItem {
  remedy?: string;
}

export async function showDoctor(server: Server): Promise<void> {
  const findings = await server.execute<Finding[]>("codeact.doctor");
  const rows = findings.map((finding): Row => {
    const row: Row = {
      label: `${finding.works ? "$(pass)" : "$(error)"} ${finding.name}`,
      description: finding.detail,
    };
    if (!finding.works && finding.remedy) {
      row.detail = finding.remedy;
      row.remedy = finding.remedy;
    }
    return row;
  });
  const broken = findings.filter((finding) => !finding.works).length;
  const title = broken === 0 ? "CodeAct: everything works here" : "CodeAct: what works here, and what mends the rest";
  const choice = await vscode.window.showQuickPick(rows, { title, placeHolder: "Choose a line to copy its remedy" });
  if (!choice?.remedy) return;
  await vscode.env.clipboard.writeText(choice.remedy);
  void vscode.window.showInformationMessage(`CodeAct: copied: ${choice.remedy}`);
}
