// Which hunks are kept, and what a file becomes with them.
import type { Hunk, Review, ReviewFile } from "./wire";

/** The text of a file with the kept hunks only. */
export function applyHunks(before: string, hunks: readonly Hunk[], kept: ReadonlySet<string>): string {
  const lines = splitLines(before);
  let text = "";
  let at = 0; // lines of `before` that are taken over or passed
  for (const hunk of [...hunks].sort((a, b) => a.old_start - b.old_start)) {
    const begin = hunk.old_start - 1;
    const end = begin + splitLines(hunk.old).length;
    text += lines.slice(at, begin).join("");
    text += kept.has(hunk.id) ? hunk.new : lines.slice(begin, end).join("");
    at = end;
  }
  return text + lines.slice(at).join("");
}

function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** What names the parts of a file that can be kept or left out: its hunks, or the file as a whole. */
export function partsOf(file: ReviewFile): string[] {
  return file.hunks.length > 0 ? file.hunks.map((hunk) => hunk.id) : [file.path];
}

export function allParts(review: Review): string[] {
  return review.files.flatMap(partsOf);
}

/** The proposed text of a file with what is kept; null if the file then does not exist, or is binary. */
export function proposedText(file: ReviewFile, kept: ReadonlySet<string>): string | null {
  const parts = partsOf(file);
  if (parts.every((part) => kept.has(part))) return file.after;
  if (!parts.some((part) => kept.has(part))) return file.before;
  return file.before === null && file.hunks.length <= 1 ? file.after : applyHunks(file.before ?? "", file.hunks, kept);
}

/** Such as `lines 6–8: return round(cents * percent / 100)`. */
export function describeHunk(hunk: Hunk): { label: string; added: number; removed: number } {
  const removed = splitLines(hunk.old).length;
  const added = splitLines(hunk.new).length;
  const shown = (hunk.new || hunk.old).split("\n").find((line) => line.trim()) ?? "";
  return { label: `${hunk.new ? "" : "remove "}${shown.trim().slice(0, 80)}`, added, removed };
}

/** Such as `+1 −1`. */
export function describeCounts(added: number, removed: number): string {
  return `+${added} −${removed}`;
}
