// The events of runs that were seen in this window, and of those that were opened again from the journal.
import * as vscode from "vscode";
import type { RunEvent } from "../pure/wire";
import type { Server } from "../server/server";

const KEPT = 20; // runs

export class RunStore implements vscode.Disposable {
  private readonly runs = new Map<string, RunEvent[]>();
  private readonly arrivals = new vscode.EventEmitter<{ run: string; event: RunEvent }>();
  private readonly subscription: vscode.Disposable;
  private latest = "";
  /** Something new about a run. */
  readonly onEvent = this.arrivals.event;

  constructor(private readonly server: Server) {
    this.subscription = server.onEvent((event) => this.add(event));
  }

  /** All events of a run so far; from the server's journal when this window has not seen its beginning. */
  async read(run: string): Promise<RunEvent[]> {
    const known = this.runs.get(run);
    if (known) return known;
    const { events } = await this.server.execute<{ events: RunEvent[] }>("codeact.show", { run });
    this.keep(run, events);
    return events;
  }

  /** Note an event, and tell whoever listens. */
  add(event: RunEvent): void {
    const run = event.run || this.latest;
    if (!run) return;
    this.latest = run;
    if (!this.runs.has(run) && event.event !== "started") return; // its beginning is in the journal only
    const events = this.runs.get(run) ?? [];
    if (events.at(-1)?.event === "result") return; // it is over
    events.push(event);
    this.keep(run, events);
    this.arrivals.fire({ run, event });
  }

  /** A run that will never tell its end: its request failed, or the server is gone. */
  end(run: string, message: string): void {
    this.add({ event: "result", run, status: "failed", message });
  }

  /** Whether a run has ended, or is not known here. */
  isOver(run: string): boolean {
    const events = this.runs.get(run);
    return !events || events.at(-1)?.event === "result";
  }

  /** The runs that go on in this window. */
  running(): string[] {
    return [...this.runs.keys()].filter((run) => !this.isOver(run));
  }

  dispose(): void {
    this.subscription.dispose();
    this.arrivals.dispose();
  }

  private keep(run: string, events: RunEvent[]): void {
    this.runs.delete(run);
    this.runs.set(run, events);
    for (const oldest of this.runs.keys()) {
      if (this.runs.size <= KEPT) return;
      this.runs.delete(oldest);
    }
  }
}
