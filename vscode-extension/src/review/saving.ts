// An accepted change is on disk too, so that tests that are run next see it. What the developer had not saved stays so.
import * as vscode from "vscode";

/** The documents that hold unsaved text. */
export function unsaved(): ReadonlySet<string> {
  return new Set(vscode.workspace.textDocuments.filter(({ isDirty }) => isDirty).map(({ uri }) => uri.toString()));
}

/** Save those of these files, given by their paths in the workspace, that were not unsaved before. */
export async function saveChanged(files: readonly string[], before: ReadonlySet<string>): Promise<void> {
  const changed = vscode.workspace.textDocuments.filter(
    ({ isDirty, uri }) => isDirty && !before.has(uri.toString()) && files.some((file) => uri.path.endsWith(`/${file}`)),
  );
  await Promise.all(changed.map((document) => document.save()));
}
