import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const HOME = join(import.meta.dirname, "../../vscode-extension");
const manifest = JSON.parse(readFileSync(join(HOME, "package.json"), "utf-8"));
const { commands, menus, keybindings, viewsWelcome, walkthroughs, configuration } = manifest.contributes;
const declared = new Set<string>(commands.map((each: { command: string }) => each.command));

function sources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sources(path) : readFileSync(path, "utf-8");
    })
    .join("\n");
}

const SERVERS = ["fix", "ask", "script", "test", "runs", "show", "review", "check", "apply", "undo", "discard"];
const MORE = ["verify", "cancel", "doctor", "models", "pullModel", "artifact"];

describe("the manifest", () => {
  test("every command that a menu, a key, a view or the walkthrough names is declared", () => {
    const used = [
      ...Object.values<{ command?: string }[]>(menus).flat(),
      ...keybindings,
      ...[...JSON.stringify([viewsWelcome, walkthroughs]).matchAll(/(?<=command:)codeact\.\w+/g)].map(([command]) => ({
        command,
      })),
    ]
      .map((each) => each.command)
      .filter((command): command is string => command !== undefined);
    expect(used.filter((command) => !declared.has(command))).toEqual([]);
  });

  test("every declared command is implemented, and none has the name of a command of the server", () => {
    const code = readFileSync(join(HOME, "src/commands/register.ts"), "utf-8");
    for (const command of declared) expect(code).toMatch(new RegExp(`\\b${command.replace("codeact.", "")}\\b`));
    for (const name of [...SERVERS, ...MORE]) expect(declared.has(`codeact.${name}`)).toBe(false);
  });

  test("every setting is described, has a default and cannot be set by a workspace that was cloned", () => {
    const windows = ["codeact.runView.open", "codeact.review.openDiff", "codeact.trace.server"];
    for (const group of configuration) {
      for (const [name, setting] of Object.entries<Record<string, unknown>>(group.properties)) {
        expect(setting.markdownDescription, name).toMatch(/\.$/);
        expect(setting, name).toHaveProperty("default");
        expect(setting.scope, name).toBe(windows.includes(name) ? "window" : "machine");
      }
    }
  });

  test("every setting that is read is declared", () => {
    const settings = new Set(configuration.flatMap((group: { properties: object }) => Object.keys(group.properties)));
    const read = sources(join(HOME, "src")).matchAll(/settings\.get\("([\w.]+)"|\.get(?:<[^>]+>)?\("(\w+\.\w+)"/g);
    for (const [, one, other] of read) expect(settings).toContain(`codeact.${one ?? other}`);
  });

  test("menus show for files on other machines too, whose scheme the editor calls vscode-remote", () => {
    const conditions = JSON.stringify(menus).match(/resourceScheme [^"&]*/g) ?? [];
    for (const condition of conditions) expect(condition).toMatch(/codeact-review|vscode-remote/);
  });

  test("pictures and pages that it names exist", () => {
    const named = JSON.stringify(manifest).matchAll(/"(media\/[^"]+)"/g);
    for (const [, path] of named) expect(existsSync(join(HOME, path ?? "")), path).toBe(true);
  });

  test("nothing runs in a workspace that is not trusted", () => {
    expect(manifest.capabilities.untrustedWorkspaces.supported).toBe("limited");
    expect(manifest.capabilities.untrustedWorkspaces.description).toMatch(/trusted/);
  });
});
