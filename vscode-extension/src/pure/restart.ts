// Whether a server that ended by itself is started again: at most three times in five minutes.

export const MOST = 3;
const WINDOW = 5 * 60 * 1000; // milliseconds

export class RestartPolicy {
  private ends: number[] = [];

  /** Note that the server ended at `now` (milliseconds); true if it shall be started again. */
  mayRestart(now: number): boolean {
    this.ends = [...this.ends.filter((end) => now - end < WINDOW), now];
    return this.ends.length <= MOST;
  }

  /** The developer asked for a start: begin to count anew. */
  forget(): void {
    this.ends = [];
  }
}
