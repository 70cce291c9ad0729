// A real VS Code (code-server) with the packaged extension in a real browser; only the model's words are scripted.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, FrameLocator, Locator, Page } from "playwright-core";

const HERE = dirname(fileURLToPath(import.meta.url));
export const TOP = join(HERE, "..", "..");
export const OUTPUT = join(HERE, "output");
const TOOLS = process.env.CODEACT_E2E_TOOLS ?? "";
const { chromium } = createRequire(join(TOOLS, "package.json"))("playwright-core") as typeof import("playwright-core");
const CHROMIUM = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
];
const CALM = {
  "workbench.startupEditor": "none",
  "window.dialogStyle": "custom",
  "workbench.editor.useModal": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.tips.enabled": false,
  "chat.disableAIFeatures": true,
  "extensions.ignoreRecommendations": true,
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "git.openRepositoryInParentFolders": "never",
  "editor.minimap.enabled": false,
  "files.autoSave": "off",
  "workbench.reduceMotion": "on",
  "editor.cursorBlinking": "solid",
};
/** Milliseconds to wait for anything; slow machines want more. */
export const PATIENCE = 1000 * Number(process.env.CODEACT_E2E_PATIENCE || 90);
let shared: Promise<Browser> | undefined;

export interface Options {
  /** The workspace's files. */
  files: Record<string, string>;
  /** What the model says, answer by answer, the last again and again. */
  script?: string[];
  /** The only key that the model's endpoint takes. */
  key?: string;
  settings?: Record<string, unknown>;
  /** Ask for trust, as VS Code does by default. */
  trust?: boolean;
  /** Variables of the editor and of the server. */
  environ?: Record<string, string>;
  theme?: Theme;
  /** Folders of the workspace to open, if it is several of those in `files`. */
  folders?: string[];
  /** The server that the extension brings, in an environment that it makes, instead of this repository's. */
  packed?: boolean;
  /** Record all that happens: slow, so not for the first try. */
  traced?: boolean;
  /** Another extension too, which finds tests and offers a model. */
  companion?: boolean;
}

type Theme = keyof typeof THEMES;
const THEMES = { light: "Default Light Modern", dark: "Default Dark Modern", contrast: "Default High Contrast" };

/** One editor on one workspace. Close it at the end. */
export class Editor {
  private readonly processes: ChildProcess[] = [];
  page!: Page;
  readonly folder = mkdtempSync(join(tmpdir(), "codeact-e2e-"));
  readonly workspace = join(this.folder, "shop");
  private readonly settings: Record<string, unknown> = { ...CALM, "codeact.sandbox.backend": "bubblewrap" };
  private shots = 0;

  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  static async open(name: string, options: Options): Promise<Editor> {
    const editor = new Editor(name);
    try {
      await editor.start(options);
    } catch (error) {
      await editor.close(true);
      throw error;
    }
    return editor;
  }

  private async start(options: Options): Promise<void> {
    spawnSync("chmod", ["755", this.folder]);
    for (const [path, text] of Object.entries(options.files)) {
      mkdirSync(dirname(join(this.workspace, path)), { recursive: true });
      writeFileSync(join(this.workspace, path), text);
    }
    const git = (...args: string[]) =>
      spawnSync("git", ["-c", "user.name=Dev", "-c", "user.email=dev@example.org", ...args], { cwd: this.workspace });
    git("init", "-q");
    git("add", "-A");
    git("commit", "-qm", "first");
    const model = options.script && {
      "codeact.model.name": "scripted",
      "codeact.model.baseUrl": await this.serveModel(options.script, options.key),
    };
    const own = { "codeact.server.command": [join(TOP, ".venv", "bin", "codeact"), "lsp"] };
    this.configure({ "workbench.colorTheme": THEMES[options.theme ?? "dark"], ...model });
    this.configure({ ...(options.packed ? {} : own), ...options.settings });
    const data = join(this.folder, "data");
    cpSync(installed(options.companion), join(this.folder, "extensions"), { recursive: true });
    const port = await freePort();
    this.run(
      join(TOOLS, "node_modules", ".bin", "code-server"),
      [
        ...["--config", "/dev/null", "--auth", "none", "--bind-addr", `127.0.0.1:${port}`, "--disable-telemetry"],
        ...["--disable-update-check", "--disable-getting-started-override", "--reconnection-grace-time", "3"],
        ...(options.trust ? [] : ["--disable-workspace-trust"]),
        ...["--user-data-dir", data, "--extensions-dir", join(this.folder, "extensions")],
      ],
      {
        CODEACT_STATE_DIR: join(this.folder, "state"),
        CODEACT_CACHE_DIR: join(this.folder, "cache"),
        ...options.environ,
      },
    );
    await until(async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok);
    shared ??= chromium.launch({
      executablePath: process.env.CODEACT_E2E_CHROMIUM ?? "/usr/bin/chromium",
      args: CHROMIUM,
    });
    const context = await (await shared).newContext({
      viewport: { width: 1400, height: 900 },
      reducedMotion: "reduce",
    });
    if (options.traced) await context.tracing.start({ screenshots: true, snapshots: true });
    this.page = await context.newPage();
    this.page.setDefaultTimeout(PATIENCE);
    await this.page.goto(`http://127.0.0.1:${port}/?${this.place(options.folders)}`);
    await this.ready();
  }

  /** The window is there, and so is what extensions add to it. */
  async ready(): Promise<void> {
    await this.page.locator(`.activitybar .action-label[aria-label^="CodeAct"]`).waitFor();
  }

  /** Trust the folder, from CodeAct's own view. A desktop editor asks for that when it opens one. */
  async trust(): Promise<void> {
    await this.side("CodeAct");
    await this.page.locator(".welcome-view-content").getByRole("button", { name: "Manage Workspace Trust" }).click();
    await this.page
      .locator(".workspace-trust-editor")
      .getByRole("button", { name: /^Trust/ })
      .first()
      .click();
  }

  /** Settings of the user, beside those that are there; `undefined` takes one away. */
  configure(settings: Record<string, unknown>): void {
    Object.assign(this.settings, settings);
    for (const scope of ["User", "Machine"]) {
      mkdirSync(join(this.folder, "data", scope), { recursive: true });
      writeFileSync(join(this.folder, "data", scope, "settings.json"), JSON.stringify(this.settings));
    }
  }

  theme(theme: Theme): void {
    this.configure({ "workbench.colorTheme": THEMES[theme] });
  }

  private place(folders: string[] | undefined): string {
    if (!folders) return `folder=${this.workspace}`;
    const file = join(this.folder, "several.code-workspace");
    writeFileSync(file, JSON.stringify({ folders: folders.map((name) => ({ path: join(this.workspace, name) })) }));
    return `workspace=${file}`;
  }

  private async serveModel(script: string[], key = ""): Promise<string> {
    const program = join(TOP, "tests", "support", "openai_server.py");
    const server = this.run(join(TOP, ".venv", "bin", "python"), [program, JSON.stringify(script), key]);
    return new Promise((resolve) => server.stdout?.once("data", (data) => resolve(String(data).trim())));
  }

  private run(program: string, args: string[], environ: Record<string, string> = {}): ChildProcess {
    const path = `${join(TOOLS, "node_modules", ".bin")}:${process.env.PATH}`;
    const child = spawn(program, args, {
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
      env: { ...process.env, PATH: path, CODEACT_CONFIG: "/dev/null", ...environ },
    });
    if (program.endsWith("code-server")) child.stdout?.resume();
    this.processes.push(child);
    return child;
  }

  /** End everything; a failed test leaves its trace and last picture. */
  async close(failed: boolean): Promise<void> {
    const context = this.page?.context();
    if (failed && context) {
      await this.shot("failed").catch(() => undefined);
      await context.tracing.stop({ path: join(OUTPUT, `${this.name}.trace.zip`) }).catch(() => undefined); // if traced
    }
    await context?.close().catch(() => undefined);
    for (const child of this.processes) {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {}
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  async shot(what: string): Promise<void> {
    mkdirSync(OUTPUT, { recursive: true });
    this.shots += 1;
    await this.page.screenshot({ path: join(OUTPUT, `${this.name}-${this.shots}-${what}.png`) });
  }

  /** Run a command by its title, from the palette. */
  async command(title: string): Promise<void> {
    const input = await this.openInput("F1");
    await input.fill(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().click();
  }

  /** Open the box at the top by its key, which a notification or a view that just comes may swallow. */
  private async openInput(key: string): Promise<Locator> {
    const input = this.page.locator(".quick-input-widget input.input");
    for (let tries = 0; tries < 5 && !(await input.isVisible()); tries += 1) {
      await this.page.keyboard.press(key);
      await input.waitFor({ timeout: 1500 }).catch(() => undefined);
    }
    return input;
  }

  /** Answer the input box that a command shows. */
  async answer(text: string): Promise<void> {
    const input = this.page.locator(".quick-input-widget input.input");
    await input.waitFor();
    await input.fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Show one of the views at the left. */
  async side(name: string): Promise<void> {
    const icon = this.page.locator(".activitybar .action-item", {
      has: this.page.locator(`.action-label[aria-label^="${name}"]`),
    });
    if (!/\bchecked\b/.test((await icon.getAttribute("class")) ?? "")) await icon.click(); // a second click hides it
  }

  /** Choose from the context menu of a row, a line, or whatever else. */
  async menu(on: Locator, ...titles: string[]): Promise<void> {
    await on.click({ button: "right" });
    const menu = this.page.locator(".monaco-menu");
    for (const title of titles.slice(0, -1)) await menu.locator(".action-item", { hasText: title }).last().click();
    const item = menu.locator(".action-item", { hasText: titles.at(-1) }).last();
    await item.waitFor();
    await until(async () => {
      await item.click({ timeout: 1500 }); // a menu that has just opened takes no click
      await item.waitFor({ state: "hidden", timeout: 1500 });
      return true;
    });
  }

  /** Choose a row of the list that a command shows. */
  async pick(text: string | RegExp): Promise<void> {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: text }).first().click();
  }

  /** A row of a view at the left. */
  row(text: string | RegExp): Locator {
    return this.page.locator(".sidebar .monaco-list-row", { hasText: text }).first();
  }

  async openFile(path: string): Promise<void> {
    const name = path.split("/").pop() ?? path;
    const row = `.quick-input-list .monaco-list-row.focused[aria-label^="${name}"]`; // calc.py is not test_calc.py
    const input = await this.openInput("Control+p");
    await input.fill(path);
    await this.page.locator(row).waitFor();
    await this.page.keyboard.press("Enter");
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).first().waitFor();
  }

  async focus(): Promise<void> {
    await this.page.locator(".editor-group-container").first().locator(".view-lines").click();
  }

  /** Type at the end of the first editor. */
  async type(text: string): Promise<void> {
    await this.focus();
    await this.page.keyboard.press("Control+End");
    await this.page.keyboard.type(text);
  }

  /** A notification with this text. */
  toast(text: string | RegExp): Locator {
    return this.page.locator(".notification-toast", { hasText: text });
  }

  async press(text: string | RegExp, button: string): Promise<void> {
    const toast = this.toast(text);
    await toast.waitFor();
    await toast.getByRole("button", { name: button, exact: true }).click();
  }

  /** The inside of the run view. */
  view(): FrameLocator {
    return this.page
      .frameLocator('iframe.webview.ready[src*="extensionId=codeact.codeact"]')
      .frameLocator("iframe#active-frame");
  }

  /** Kill this editor's language server, and nobody else's. */
  killServer(): void {
    const children = new Map<number, number[]>();
    const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    for (const name of processes) {
      try {
        const parent = Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]);
        children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      } catch {} // it has ended meanwhile
    }
    const below = (process: number): number[] => [process, ...(children.get(process) ?? []).flatMap(below)];
    const own = this.processes.flatMap((child) => below(child.pid ?? 0));
    const command = (process: number): string => {
      try {
        return readFileSync(`/proc/${process}/cmdline`, "utf8");
      } catch {
        return ""; // as above
      }
    };
    const servers = own.filter((id) => /codeact\0lsp/.test(command(id)));
    if (servers.length === 0) throw new Error("There is no language server.");
    for (const id of servers) process.kill(id, "SIGKILL");
  }

  /** Lines of the extension's log. */
  logged(what: RegExp): string {
    const folder = join(this.folder, "data", "logs");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith("CodeAct.log"),
    );
    const lines = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
    return lines.filter((line) => what.test(line)).join("\n");
  }

  /** The text of the editor that has the focus. */
  async text(): Promise<string> {
    const lines = await this.page.locator(".editor-group-container.active .view-line").allInnerTexts();
    return lines.join("\n").replaceAll("\u00a0", " ");
  }
}

/** Try again until it is true. */
export async function until(done: () => Promise<boolean> | boolean, timeout = PATIENCE): Promise<void> {
  const end = Date.now() + timeout;
  for (;;) {
    try {
      if (await done()) return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    if (Date.now() > end) throw new Error(`still not: ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export async function closeBrowser(): Promise<void> {
  await (await shared)?.close();
}

/** An extensions folder with the packed extension, and the companion if that is wanted; each is made once. */
function installed(companion = false): string {
  const folder = join(OUTPUT, companion ? "extensions-with-companion" : "extensions");
  if (existsSync(join(folder, "extensions.json"))) return folder;
  const packed = readdirSync(join(TOP, "dist")).find((name) => name.endsWith(".vsix"));
  if (!packed) throw new Error("There is no .vsix. Run: make vsix");
  const files = [join(TOP, "dist", packed)];
  if (companion) files.push(packCompanion());
  const more = files.flatMap((file) => ["--install-extension", file]);
  call(
    join(TOOLS, "node_modules", ".bin", "code-server"),
    "--config",
    "/dev/null",
    "--extensions-dir",
    folder,
    ...more,
  );
  return folder;
}

function packCompanion(): string {
  mkdirSync(OUTPUT, { recursive: true });
  const file = join(OUTPUT, "companion.vsix");
  const vsce = join(TOP, "node_modules", ".bin", "vsce");
  const options = ["--no-dependencies", "--allow-missing-repository", "--skip-license"];
  call(vsce, "package", ...options, "--out", file);
  return file;
}

function call(program: string, ...args: string[]): void {
  const path = `${join(TOOLS, "node_modules", ".bin")}:${process.env.PATH}`;
  const cwd = program.endsWith("vsce") ? join(HERE, "companion") : TOP;
  const done = spawnSync(program, args, { cwd, env: { ...process.env, PATH: path }, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}\n${done.stderr}${done.stdout}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
