// What goes over the wire between the language server and this extension, as docs/json.md tells it.
// Only the fields that are read here; a server may send more.

export type Status = "verified" | "unverified" | "answered" | "failed" | "cancelled";
export type Kind = "fix" | "ask" | "script";

export interface Task {
  kind: Kind;
  instruction: string;
  tests: string[];
}

/** Bytes: as text if they are UTF-8, else as Base64; in a journal large ones are named by their hash. */
export interface Bytes {
  text?: string;
  base64?: string;
  sha256?: string;
}

export interface Artifact {
  name: string;
  media_type: string;
  data: Bytes;
}

export interface TestResult {
  node_id: string;
  outcome: string;
  seconds: number;
  message: string;
  traceback: string;
}

export interface TestReport {
  command: string[];
  results: TestResult[];
  exit_code: number;
  seconds: number;
  problem: string;
  output: string;
}

export interface Observation {
  stdout: string;
  stderr: string;
  value: string;
  failure: { type: string; message: string; traceback: string } | null;
  timed_out: boolean;
  seconds: number;
  artifacts: Artifact[];
  finished: string | null;
  tests: TestReport | null;
}

export interface Step {
  number: number;
  thought: string;
  action: { code: string; timeout: number };
  observation: Observation;
  afresh: boolean;
  rung: string;
}

export interface Tally {
  counts: Record<string, number>;
  failing: string[];
}

export interface Evidence {
  snapshot: string;
  proposed: string;
  command: string[];
  targets: string[];
  before: Tally;
  after: Tally;
  regressions: string[];
  environment: Record<string, string>;
  protected: Record<string, string>;
  seconds: number;
  proven_at: string;
  verified: boolean;
  reasons: string[];
}

export interface Usage {
  model_calls: number;
  prompt_tokens: number;
  completion_tokens: number;
  seconds: number;
}

export interface Started {
  event: "started";
  run: string;
  task: Task;
  workspace: string;
  model?: string;
  sandbox?: string;
}

export interface RunEnded {
  event: "result";
  run: string;
  status: Status;
  message: string;
  /** What to know of how it came to that, such as why no model was asked. */
  note?: string;
  diff?: string;
  answer?: string;
  artifacts?: Artifact[];
  evidence?: Evidence | null;
  proposal?: unknown;
  usage?: Usage;
  seconds?: number;
}

export interface Diagnosis {
  node_id: string;
  kind: "real" | "flaky" | "order" | "environment" | "collection";
  detail: string;
  hopeful: boolean;
}

/** What some failing tests likely have in common; `path` is empty where only their error is known. */
export interface Cause {
  number: number;
  tests: string[];
  path: string;
  line: number;
  name: string;
  error: string;
}

/** What verified fixes have taught: a kind of edit that mends, or a place that was at fault. */
export interface Lesson {
  about: "edit" | "place";
  what: string;
  rung: string;
  helped: number;
  missed: number;
}

export interface Suspect {
  path: string;
  line: number;
  name: string;
  score: number;
}

export type RunEvent = { run?: string } & (
  | Started
  | RunEnded
  | { event: "progress"; message: string }
  | { event: "snapshot"; tree: string; files: number; left_out: { path: string; reason: string }[] }
  | { event: "tests"; phase: string; report: TestReport }
  | { event: "packages"; module: string; pins: string[] }
  | { event: "triaged"; diagnoses: Diagnosis[] }
  | { event: "grouped"; causes: Cause[] }
  | { event: "tried"; number: number; mended: string[]; left: string[] }
  | { event: "recalled"; lessons: Lesson[] }
  | { event: "localised"; target: string; suspects: Suspect[] }
  | { event: "chosen"; name: string; context: number }
  | { event: "text"; text: string }
  | { event: "model" }
  | { event: "step"; step: Step }
);

export interface RunSummary {
  run: string;
  time?: string;
  started?: Partial<Started> | string | null;
  task?: Task | null;
  workspace?: string;
  status: Status | "running" | "interrupted" | "damaged";
  message: string;
  fate?: string;
  state?: string;
}

export interface Hunk {
  id: string;
  old_start: number;
  old: string;
  new_start: number;
  new: string;
}

export interface ReviewFile {
  path: string;
  uri: string;
  status: "added" | "modified" | "deleted";
  before: string | null;
  after: string | null;
  binary: boolean;
  added: number;
  removed: number;
  hunks: Hunk[];
}

export interface Review {
  run: string;
  summary: string;
  status: Status;
  workspace: string;
  evidence: Evidence | null;
  state: "open" | "applied" | "discarded" | "undone";
  files: ReviewFile[];
}

export interface Applied {
  applied: boolean;
  files?: string[];
  merged?: string[];
  message?: string;
  reason?: string;
}

export interface Finding {
  name: string;
  works: boolean;
  detail: string;
  remedy: string;
}

export interface KnownModel {
  name: string;
  about: string;
  size: number;
  installed: boolean;
}

/** The argument of `codeact.fix`, which lenses and quick fixes carry too. */
export interface FixArgument {
  uri: string;
  tests: string[];
  instruction?: string;
}

export interface AskArgument {
  uri: string;
  instruction: string;
  run?: string;
  selection?: { uri: string; start: number; end: number; text: string };
}
