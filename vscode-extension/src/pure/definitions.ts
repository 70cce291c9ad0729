// Actions that only put definitions in the place of old ones, shown as what they are: the code of a file.

export interface Definitions {
  path: string;
  code: string;
}

const CALL = /define\('([^'\\\n]+)', ("""|''')\\\n([\s\S]*?)\2\)(?:\n|$)/y;

/** The files and their new definitions, if that is all that an action's code does. */
export function readDefinitions(code: string): Definitions[] | undefined {
  const found: Definitions[] = [];
  const text = code.trim();
  CALL.lastIndex = 0;
  while (CALL.lastIndex < text.length) {
    const match = CALL.exec(text);
    if (!match) return undefined;
    found.push({ path: match[1] ?? "", code: match[3] ?? "" });
  }
  return found.length > 0 ? found : undefined;
}
