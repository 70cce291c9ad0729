// One line for each scenario, and all there is about one that failed.
import { inspect } from "node:util";

interface Told {
  type: string;
  data: { name?: string; message?: string; file?: string; details?: { duration_ms?: number; error?: Error } };
}

export default async function* report(events: AsyncIterable<Told>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    const seconds = `${((data.details?.duration_ms ?? 0) / 1000).toFixed(0)} s`;
    if (type === "test:pass" && !isFile(data)) yield `  ✔ ${data.name} (${seconds})\n`;
    if (type === "test:fail" && !isFile(data)) yield `  ✘ ${data.name} (${seconds})\n${reason(data.details?.error)}\n`;
    if (type === "test:stdout" || type === "test:stderr") yield (data.message ?? "").replace(/^(?=.)/gm, "      ");
  }
}

/** The file that holds the scenarios is a test for the runner too. */
function isFile(data: Told["data"]): boolean {
  return data.name?.endsWith(".mts") ?? false;
}

function reason(error: Error | undefined): string {
  return inspect(error?.cause ?? error).replace(/^/gm, "      ");
}
