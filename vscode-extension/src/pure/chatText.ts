// A finished run as Markdown for the chat.
import type { RunEnded } from "./wire";

export function describeResult(result: RunEnded): string {
  const parts: string[] = [];
  if (result.answer) parts.push(result.answer);
  if (result.message && !(result.answer && result.status === "answered")) parts.push(`**${result.message}**`);
  if (result.note) parts.push(result.note);
  if (result.diff) parts.push(fenced(result.diff, "diff"));
  const made = (result.artifacts ?? []).map((artifact) => `\`${artifact.name}\``);
  if (made.length > 0) parts.push(`Made: ${made.join(", ")}. *Show Run* shows them.`);
  return parts.join("\n\n") || "Nothing came of it.";
}

/** Text in a fence that is longer than any in it. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.trimEnd()}\n${fence}`;
}
