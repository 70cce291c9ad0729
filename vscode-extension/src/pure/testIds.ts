// Which pytest node ids are meant: by an item of the Testing view, whichever extension made it, or by the cursor.

export interface Item {
  id: string;
  /** Path of its file or folder, if it tells one. */
  path?: string | undefined;
  /** 0-based line, if it tells one. */
  line?: number | undefined;
}

/** The node id or path of an item, relative to the folder; empty for the whole folder, undefined if it is not in it. */
export function toNodeId(item: Item, folder: string, text?: string): string | undefined {
  const known = item.path === undefined ? undefined : relative(item.path, folder);
  if (item.path !== undefined && known === undefined) return undefined;
  return fromId(item, folder, known) ?? fromPlace(item, known, text);
}

/** The last part of an id that may have a project's in front: `project@@vsc@@/ws/tests/test_a.py::test_b`. */
function fromId(item: Item, folder: string, known: string | undefined): string | undefined {
  const id = item.id.split(/@@vsc@@|\|\|/).at(-1) ?? "";
  const [file = "", ...names] = slashes(id)
    .replace(/^file:\/\//, "")
    .split("::");
  if (!/\.py$/.test(file) || names.some((name) => name === "")) return undefined;
  const absolute = file.startsWith("/") || /^[A-Za-z]:\//.test(file);
  const path = absolute ? relative(file, folder) : file.replace(/^\.\//, "");
  if (path === undefined || (known !== undefined && known !== path && !known.endsWith(`/${path}`))) return undefined;
  return [known ?? path, ...names].join("::");
}

function fromPlace(item: Item, known: string | undefined, text: string | undefined): string | undefined {
  if (known === undefined) return undefined;
  if (text !== undefined && item.line !== undefined && known.endsWith(".py")) {
    const names = namesAt(text, item.line);
    if (names.length > 0) return [known, ...names].join("::");
  }
  return known;
}

const DEFINITION = /^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)/;

/** Names of the test around a line, outermost first: class and function, or only the class; empty outside of tests. */
export function namesAt(text: string, line: number): string[] {
  const lines = text.split(/\r\n|\r|\n/);
  let at = Math.min(line, lines.length - 1);
  while (/^\s*@/.test(lines[at] ?? "")) at += 1; // from a decorator to what it decorates
  const found = around(lines, at);
  const test = found.findIndex(({ kind, name }) => kind === "def" && name.startsWith("test"));
  if (test >= 0) return found.slice(0, test + 1).map(({ name }) => name);
  return found.filter(({ kind, name }) => kind === "class" && name.startsWith("Test")).map(({ name }) => name);
}

/** The definitions that a line is in, outermost first. On an empty line, those of the code above it. */
function around(lines: readonly string[], from: number): { kind: string; name: string }[] {
  const found: { kind: string; name: string }[] = [];
  const current = lines[from] ?? "";
  const own = current.length - current.trimStart().length;
  let limit = !current.trim() ? Number.POSITIVE_INFINITY : DEFINITION.test(current) ? own + 1 : own;
  for (let at = from; at >= 0 && limit > 0; at -= 1) {
    const match = DEFINITION.exec(lines[at] ?? "");
    const indent = match?.[1]?.length ?? 0;
    if (!match || indent >= limit) continue;
    found.unshift({ kind: match[2] ?? "", name: match[3] ?? "" });
    limit = indent;
  }
  return found;
}

/** A path relative to a folder, with `/` between parts; undefined if it is not in it. */
export function relative(path: string, folder: string): string | undefined {
  const [inner, outer] = [slashes(path).replace(/\/+$/, ""), slashes(folder).replace(/\/+$/, "")];
  if (inner === outer) return "";
  return inner.startsWith(`${outer}/`) ? inner.slice(outer.length + 1) : undefined;
}

function slashes(path: string): string {
  return path.replace(/\\/g, "/");
}
