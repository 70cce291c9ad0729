// Actions that only put definitions in the place of old ones, or write a file, shown as what they are: the code of a file.

export interface Definitions {
  path: string;
  /** Not some definitions of it, but the file. */
  whole: boolean;
  code: string;
}

const CALL = /(define|write)\('([^'\\\n]+)', ("""|''')\\\n([\s\S]*?)\3\)(?:\n|$)/y;

/** The files and their new code, if that is all that an action's code does. */
export function readDefinitions(code: string): Definitions[] | undefined {
  const found: Definitions[] = [];
  const text = code.trim();
  CALL.lastIndex = 0;
  while (CALL.lastIndex < text.length) {
    const match = CALL.exec(text);
    if (!match) return undefined;
    found.push({ path: match[2] ?? "", whole: match[1] === "write", code: match[4] ?? "" });
  }
  return found.length > 0 ? found : undefined;
}
