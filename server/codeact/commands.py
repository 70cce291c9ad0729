"""What each command of the terminal does, as a function of its options, the settings and the terminal."""

import asyncio
import signal
import sys
from argparse import Namespace
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from codeact.apply import Plan, execute, plan_apply
from codeact.apply import undo as undo_applied
from codeact.doctor import examine, is_ready
from codeact.errors import ApplyError, SettingsError
from codeact.events import Event, StepTaken, TestsRan
from codeact.evidence import Applied, Evidence, Proposal
from codeact.grouping import with_needs
from codeact.journal import find_run, list_runs, open_journal, read_journal
from codeact.models.pull import PullProgress, installed_models, pull_model
from codeact.preparing import ask_in_terminal, can_ask, offer_to_prepare
from codeact.proposal import select, separate, unified_diff
from codeact.revisit import prove_plan, replay_run, verify_run
from codeact.run import run_task
from codeact.sandboxes import sweep
from codeact.scripts import part_of
from codeact.settings import Settings
from codeact.snapshot import prune_weekly
from codeact.terminal import Terminal
from codeact.testing import want_of_packages
from codeact.trajectory import Task, TaskKind, TestReport
from codeact.wire import dump, to_line

OK, WITHOUT, USAGE, CANCELLED = 0, 1, 2, 130
T = TypeVar("T")


def task(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """`fix`, `ask`, `script`: do it, and with `--apply` accept a verified proposal at once."""
    require_workspace(settings)
    follows = find_run(settings, options.follows) if getattr(options, "follows", "") else ""
    wanted = Task(
        kind=TaskKind(options.kind), instruction=options.instruction, tests=tuple(options.tests), follows=follows
    )
    sweep(settings)
    offer_to_prepare(settings, terminal, data=wanted.kind is not TaskKind.FIX)
    tests: list[TestReport] = []

    def hear(event: Event) -> None:
        if isinstance(event, TestsRan):
            tests.append(event.report)
        terminal.show(event)

    try:
        consent = ask_in_terminal if can_ask(terminal) else None
        ended = run_to_end(run_task(wanted, settings, on_event=hear, consent=consent))
    except asyncio.CancelledError:
        return CANCELLED
    if options.apply and ended.status == "verified" and ended.proposal:
        _write(settings, terminal, plan_apply(settings, ended.proposal))
    prune_weekly(settings)
    if ended.status in ("verified", "answered"):
        return OK
    unfit = {reason for report in tests for reason in (report.problem, want_of_packages(report.failing))}
    return USAGE if ended.message in unfit else WITHOUT  # tests that cannot be run are no matter of the code


def runs(_: Namespace, settings: Settings, terminal: Terminal) -> int:
    """List all runs."""
    found = list_runs(settings)
    if terminal.as_json:
        for run in found:
            terminal.line(to_line(run))
    elif found:
        terminal.show_runs(found)
    else:
        terminal.say("No runs yet. In a repository with a failing test, type: codeact fix")
    return OK


def show(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Show a run from its journal, step by step, as it was shown when it ran."""
    record = read_journal(settings, find_run(settings, options.run))
    for entry in record.entries:
        value = record.value(entry)
        match entry.kind:
            case "started":
                started = record.started()
                if started:
                    terminal.show(started)
            case "step":
                terminal.show(StepTaken(step=value))  # type: ignore[arg-type]  # the kind says which class it is
            case "snapshot" | "tests" | "triaged" | "recalled" | "grouped" | "tried" | "localised":
                terminal.show(value)  # type: ignore[arg-type]
            case "packages" | "chosen" | "ended":
                terminal.show(value)  # type: ignore[arg-type]
            case "evidence" if isinstance(value, Evidence):
                terminal.show_evidence(value)
            case "applied" | "undone" | "discarded":
                terminal.say(f"{entry.kind} at {entry.time}")
    if record.ended() is None:
        note = ", and its last line is torn" if record.torn else ""
        terminal.say(f"[yellow]This run has no end: it is still going on, or was killed{note}.[/]")
    return OK


def diff(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Print what a run proposes, as `git apply` takes it."""
    run, proposal = _proposal(options, settings)
    chosen = proposal if proposal.patches else separate(proposal)
    if chosen is None:
        raise SettingsError(f"Run {run} proposes nothing.")
    text = unified_diff(chosen)
    if terminal.as_json:
        terminal.line(dump({"run": run, "diff": text}))
    elif sys.stdout.isatty():
        terminal.show_diff(text)
    else:
        sys.stdout.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
    return OK


def apply(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Accept a proposal, or some of its hunks or groups; what was not proven as it is now is proven first."""
    run, proposal = _proposal(options, settings)
    target = _workspace_of(settings, run)
    evidence, chosen = proposal.evidence, proposal
    if not proposal.patches and options.unproven:
        chosen = separate(proposal) or proposal
    part = part_of(proposal, options.part) if options.part else ()
    only = [*options.only, *part, *with_needs(proposal, options.group)]
    if only:
        chosen = select(proposal, only)
    plan = plan_apply(target, chosen)
    if not (plan.changes or plan.conflicts):
        terminal.say("Nothing to apply: your files are as proposed already.")
        terminal.record(Applied(run=run, paths=()))
        return OK
    if plan.conflicts:
        raise ApplyError("The files have moved on since the snapshot. " + " ".join(plan.conflicts))
    if only or plan.needs_proof:
        terminal.say("Not what was proven: proving it in a fresh sandbox first.")
        evidence = run_to_end(prove_plan(target, proposal, plan, part=bool(only)))
        terminal.show_evidence(evidence)
    if not (evidence and evidence.verified) and not options.unproven:
        how = f"codeact apply {run} --unproven"
        raise ApplyError(f"Nothing proves this proposal, so it is not applied. To accept it all the same: {how}")
    terminal.record(_write(target, terminal, plan))
    return OK


def undo(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Take back what was applied, if the files are still as they were written."""
    run = find_run(settings, options.run)
    applied = read_journal(settings, run).applied()
    if applied and applied.files:
        raise ApplyError(f"The proposal of {run} was accepted in an editor. Take it back there: CodeAct: Show Runs.")
    applied = undo_applied(settings, run)
    with open_journal(settings, run) as journal:
        journal.append("undone", applied)
    terminal.say(f"Taken back: {', '.join(applied.paths)}.")
    terminal.record(applied)
    return OK


def discard(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Mark a proposal as dropped; its journal stays."""
    run = find_run(settings, options.run)
    with open_journal(settings, run) as journal:
        journal.append("discarded", None)
    terminal.say(f"Discarded {run}. Its journal stays: codeact show {run}")
    return OK


def verify(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Prove a proposal again."""
    run = find_run(settings, options.run)
    evidence = run_to_end(verify_run(_workspace_of(settings, run), run, terminal.show))
    terminal.show_evidence(evidence)
    return OK if evidence.verified else WITHOUT


def replay(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Walk a run's way again and tell whether it came to the same."""
    run = find_run(settings, options.run)
    ended, same = run_to_end(replay_run(_workspace_of(settings, run), run, terminal.show))
    terminal.say(f"Replayed {run} as {ended.run}: {'the same outcome' if same else 'another outcome than recorded'}.")
    return OK if same else WITHOUT


def doctor(_: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Tell what works here and what mends the rest."""
    findings = examine(settings)
    for finding in findings:
        if terminal.as_json:
            terminal.line(to_line(finding))
        else:
            terminal.show_finding(finding.name, works=finding.works, detail=finding.detail, remedy=finding.remedy)
    return OK if is_ready(findings) else USAGE


def model(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """List the embedded models, or fetch one."""
    if options.action == "list":
        for known in installed_models(settings):
            name, about, size = known.model.name, known.model.about, known.model.size
            state = "installed" if known.file else f"{size // 1_000_000} MB to fetch"
            if terminal.as_json:
                terminal.line(dump({"name": name, "about": about, "size": size, "installed": known.file is not None}))
            else:
                terminal.line(f"{name}\t{state}\t{about}")
        return OK
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.console, disable=not terminal.console.is_terminal) as bar:
        pulling = bar.add_task("", total=None)

        told = -1

        def move(progress: PullProgress) -> None:
            nonlocal told
            tenth = 10 * progress.done // max(progress.total, 1)
            if not terminal.console.is_terminal and tenth > told:  # where no bar is drawn
                told = tenth
                terminal.work_on(f"{progress.message}, {10 * tenth} % of {progress.total / 1e9:.1f} GB")
            bar.update(pulling, description=progress.message, completed=progress.done, total=progress.total)

        path = pull_model(settings, options.name, move, options.source or None)
    terminal.say(f"The model is at {path}.")
    return OK


def _write(settings: Settings, terminal: Terminal, plan: Plan) -> Applied:
    applied = execute(settings, plan)
    with open_journal(settings, plan.run) as journal:
        journal.append("applied", applied)
    terminal.say(f"[green]✔[/] Applied to {', '.join(applied.paths)}. To take it back: codeact undo {plan.run}")
    return applied


def _proposal(options: Namespace, settings: Settings) -> tuple[str, Proposal]:
    run = find_run(settings, options.run)
    proposal = read_journal(settings, run).proposal()
    if proposal is None:
        raise SettingsError(f"Run {run} made no proposal. See how it ended: codeact show {run}")
    return run, proposal


def _workspace_of(settings: Settings, run: str) -> Settings:
    """The settings with the workspace that a run was about, wherever the command was typed."""
    started = read_journal(settings, run).started()
    return replace(settings, workspace=Path(started.workspace)) if started else settings


def require_workspace(settings: Settings) -> None:
    """Check that there is a folder to work on.

    Raises:
        SettingsError: there is none.
    """
    if not settings.workspace.is_dir():
        raise SettingsError(
            f"There is no folder {settings.workspace}. Go to your repository or name it: --workspace DIR"
        )


def run_to_end(walk: Coroutine[None, None, T]) -> T:
    """Run a coroutine; Ctrl-C and SIGTERM cancel it, and with it the sandbox, before the program ends."""

    async def cancellable() -> T:
        this = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, this.cancel)  # type: ignore[union-attr]  # a coroutine always has a task
        return await walk

    return asyncio.run(cancellable())
