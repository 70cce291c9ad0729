// Which Pythons are worth a try, and what they tell of themselves.

export interface Python {
  /** The interpreter itself; of a virtual environment, the one it was made with. */
  path: string;
  version: string;
  hasVenv: boolean;
}

export const OLDEST: readonly [number, number] = [3, 11];

/** A program for Python that prints what `parseProbe` reads; it runs on any Python 3. */
export const PROBE =
  "import sys, json, importlib.util as u; print(json.dumps([getattr(sys, '_base_executable', sys.executable), " +
  "list(sys.version_info[:3]), bool(u.find_spec('venv') and u.find_spec('ensurepip'))]))";

/** What a Python told; undefined if it is too old or makes no sense. */
export function parseProbe(output: string): Python | undefined {
  try {
    const [path, version, hasVenv] = JSON.parse(output) as [string, number[], boolean];
    const [major = 0, minor = 0] = version;
    const fits = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
    return fits ? { path, version: version.join("."), hasVenv } : undefined;
  } catch {
    return undefined;
  }
}

/** The Pythons among the files of a folder: `python3` first, then the newest. */
export function pythonNames(files: readonly string[]): string[] {
  const minors = files
    .map((file) => /^python3\.(\d+)(\.exe)?$/.exec(file))
    .filter((match) => match !== null && Number(match[1]) >= OLDEST[1])
    .sort((a, b) => Number(b?.[1]) - Number(a?.[1]))
    .map((match) => match?.[0] ?? "");
  const plain = ["python3", "python3.exe", "python", "python.exe"].filter((name) => files.includes(name));
  return [...plain, ...minors];
}

const FAULTS: readonly [RegExp, string][] = [
  [
    /ensurepip is not available|No module named '?(venv|ensurepip)/,
    "This Python has no venv module. On Debian and Ubuntu: sudo apt-get install python3-venv",
  ],
  [
    /NewConnectionError|Temporary failure|Name or service|Network is unreachable|timed out|ProxyError/i,
    "The packages it needs could not be fetched: the network is away. Connect, then try again.",
  ],
  [/No space left on device/, "The disk is full. About 300 MB are needed. Make room, then try again."],
  [
    /No matching distribution|Could not find a version/,
    "A package it needs does not exist for this machine or cannot be reached. The log tells which.",
  ],
];

/** Why an environment could not be made, told from what pip or venv printed, and what to do. */
export function explainSetUpFailure(output: string): string {
  const fault = FAULTS.find(([pattern]) => pattern.test(output));
  return fault?.[1] ?? "Its environment could not be made. The log tells why.";
}
