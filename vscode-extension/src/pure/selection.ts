// What of a proposal is kept during a review, and what is known about it.
import { allParts, partsOf } from "./hunks";
import { describeCheck } from "./summary";
import type { Evidence, Review, ReviewFile } from "./wire";

export type Checked = "on" | "off";

export class Selection {
  readonly kept: Set<string>;
  private readonly checks = new Map<string, Evidence>();

  constructor(readonly review: Review) {
    this.kept = new Set(allParts(review));
  }

  /** Keep or leave out a file with all its hunks, or one hunk. */
  set(target: ReviewFile | string, keep: boolean): void {
    for (const part of typeof target === "string" ? [target] : partsOf(target)) {
      if (keep) this.kept.add(part);
      else this.kept.delete(part);
    }
  }

  isKept(target: ReviewFile | string): boolean {
    return typeof target === "string" ? this.kept.has(target) : partsOf(target).some((part) => this.kept.has(part));
  }

  isComplete(): boolean {
    return this.kept.size === allParts(this.review).length;
  }

  isEmpty(): boolean {
    return this.kept.size === 0;
  }

  /** The kept parts in the order of the proposal. */
  ids(): string[] {
    return allParts(this.review).filter((part) => this.kept.has(part));
  }

  /** Names this choice, so that what was found out about it can be told apart. */
  key(): string {
    return this.ids().join("\n");
  }

  note(key: string, evidence: Evidence): void {
    this.checks.set(key, evidence);
  }

  /** The proof of this choice, if there is one yet. */
  evidence(): Evidence | undefined {
    if (this.isComplete()) return this.review.evidence ?? undefined;
    return this.checks.get(this.key());
  }

  /** What is known about this choice, in one line. */
  describe(checking: boolean): string {
    if (this.isComplete()) return this.review.summary;
    if (this.isEmpty()) return "Nothing is selected.";
    const evidence = this.evidence();
    if (evidence) return describeCheck(evidence);
    return checking ? "Checking whether the rest still passes…" : "Not checked yet: Accept Selected checks first.";
  }
}
