"""The commands of the language server. Each takes one object and returns JSON, or fails with a sentence."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pygls.exceptions import JsonRpcException

from codeact.doctor import examine
from codeact.editor import history
from codeact.editor.accepting import accept, append, check, take_back
from codeact.editor.arguments import (
    ArtifactArguments,
    AskArguments,
    ChoiceArguments,
    FixArguments,
    ModelArguments,
    RunArguments,
    Selection,
    parse_arguments,
)
from codeact.editor.chat import model_of_editor
from codeact.editor.convert import to_path
from codeact.editor.session import REQUEST_FAILED, Session, Tell, server
from codeact.errors import CodeActError, ModelUnavailable, SettingsError
from codeact.events import Event, Progress, RunEnded, TestsRan, Triaged
from codeact.evidence import Proposal
from codeact.journal import find_run, list_runs
from codeact.models.pull import PullProgress, installed_models, pull_model
from codeact.revisit import run_tests_once, verify_run
from codeact.run import run_task
from codeact.settings import Settings, load_settings
from codeact.trajectory import Task, TaskKind, TestReport
from codeact.wire import to_json

T = TypeVar("T")
TITLES = {TaskKind.FIX: "Fixing tests", TaskKind.ASK: "Working on your question", TaskKind.SCRIPT: "Writing a script"}


@server.command("codeact.fix")
async def fix(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401 - JSON in and out
    """Fix failing tests: all, or those that are named."""
    wanted = parse_arguments(FixArguments, arguments)
    return await _run(ls, wanted.uri, Task(kind=TaskKind.FIX, tests=wanted.tests, instruction=wanted.instruction))


@server.command("codeact.ask")
async def ask(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Answer a question, or go on from an earlier one."""
    return await _ask(ls, TaskKind.ASK, parse_arguments(AskArguments, arguments))


@server.command("codeact.script")
async def script(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Write a script."""
    return await _ask(ls, TaskKind.SCRIPT, parse_arguments(AskArguments, arguments))


@server.command("codeact.test")
async def test(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Run the tests once, in a sandbox, and show what fails."""
    wanted = parse_arguments(FixArguments, arguments)
    settings = _try(ls.settings_for, wanted.uri)

    async def work(tell: Tell) -> TestReport:
        report = await run_tests_once(settings, wanted.tests, ls.buffers(settings.workspace), tell)
        ls.publish(settings.workspace, report)
        return report

    return await ls.follow("Running tests", work)


@server.command("codeact.runs")
async def runs(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """List all runs, newest first."""
    parse_arguments(FixArguments, arguments)
    return to_json(await asyncio.to_thread(list_runs, _settings(ls)))


@server.command("codeact.show")
async def show(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """The events of a run."""
    wanted = parse_arguments(RunArguments, arguments)
    return await _read(history.show, _settings(ls), wanted.run)


@server.command("codeact.review")
async def review(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """A run's proposal, for a review."""
    wanted = parse_arguments(RunArguments, arguments)
    return await _read(history.review, _settings(ls), wanted.run)


@server.command("codeact.artifact")
async def artifact(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """One file that a run handed over."""
    wanted = parse_arguments(ArtifactArguments, arguments)
    return await _read(history.artifact, _settings(ls), wanted.run, wanted.sha256)


@server.command("codeact.check")
async def check_part(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Prove a proposal with some of its hunks only."""
    wanted = parse_arguments(ChoiceArguments, arguments)
    settings, proposal = await _proposal(ls, wanted.run)
    hunks = wanted.hunks or ()
    return await ls.follow("Proving the selection", lambda tell: check(ls, settings, proposal, hunks, tell))


@server.command("codeact.verify")
async def verify(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Prove a run's proposal again."""
    settings, proposal = await _proposal(ls, parse_arguments(RunArguments, arguments).run)
    return await ls.follow("Proving again", lambda tell: verify_run(settings, proposal.run, tell))


@server.command("codeact.apply")
async def apply(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Accept a proposal, or some of its hunks."""
    wanted = parse_arguments(ChoiceArguments, arguments)
    settings, proposal = await _proposal(ls, wanted.run)
    return await ls.follow("Applying the proposal", lambda tell: accept(ls, settings, proposal, wanted.hunks, tell))


@server.command("codeact.undo")
async def undo(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Take an accepted proposal back."""
    settings, proposal = await _proposal(ls, parse_arguments(RunArguments, arguments).run)
    try:
        return await take_back(ls, settings, proposal.run)
    except CodeActError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None


@server.command("codeact.discard")
async def discard(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Mark a proposal as dropped."""
    settings, proposal = await _proposal(ls, parse_arguments(RunArguments, arguments).run)
    await _read(append, settings, proposal.run, "discarded", None)
    return {"discarded": proposal.run}


@server.command("codeact.cancel")
def cancel(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """End a run that goes on."""
    task = ls.runs.get(parse_arguments(RunArguments, arguments).run)
    return bool(task and task.cancel())


@server.command("codeact.doctor")
async def doctor(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """What works here, and what mends the rest."""
    wanted = parse_arguments(FixArguments, arguments)
    try:
        settings = ls.settings_for(wanted.uri)
    except SettingsError:
        settings = _settings(ls)
    return to_json(await asyncio.to_thread(examine, settings))


@server.command("codeact.models")
async def models(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """The embedded models, and which of them are on this machine."""
    parse_arguments(FixArguments, arguments)
    known = await asyncio.to_thread(installed_models, _settings(ls))
    return [
        {"name": one.model.name, "about": one.model.about, "size": one.model.size, "installed": one.file is not None}
        for one in known
    ]


@server.command("codeact.pullModel")
async def pull(ls: Session, *arguments: Any) -> Any:  # noqa: ANN401
    """Fetch an embedded model; what was fetched before a cancellation is kept."""
    wanted = parse_arguments(ModelArguments, arguments)
    settings = _settings(ls)

    async def work(tell: Tell) -> dict[str, str]:
        loop, stopped, shown = asyncio.get_running_loop(), threading.Event(), -1

        def move(progress: PullProgress) -> None:
            nonlocal shown
            if stopped.is_set():
                raise ModelUnavailable("Cancelled.")
            done = 100 * progress.done // max(progress.total, 1)
            if done != shown:
                shown = done
                loop.call_soon_threadsafe(tell, Progress(message=progress.message, percentage=done))

        try:
            return {"path": str(await asyncio.to_thread(pull_model, settings, wanted.name, move))}
        finally:
            stopped.set()

    return await ls.follow("Fetching the model", work, measured=True)


async def _ask(ls: Session, kind: TaskKind, wanted: AskArguments) -> Any:  # noqa: ANN401
    follows = _try(find_run, _settings(ls), wanted.run) if wanted.run else ""
    shown = _describe(ls, wanted.selection) if wanted.selection else ""
    uri = wanted.uri or (wanted.selection.uri if wanted.selection else "")
    return await _run(ls, uri, Task(kind=kind, instruction=wanted.instruction, follows=follows, shown=shown))


async def _run(ls: Session, uri: str, task: Task) -> Any:  # noqa: ANN401
    settings = _try(ls.settings_for, uri)

    async def work(tell: Tell) -> RunEnded:
        def tell_and_publish(event: Event) -> None:
            if isinstance(event, TestsRan) and event.phase == "before":
                ls.publish(settings.workspace, event.report)
            elif isinstance(event, Triaged):
                ls.explain(settings.workspace, event.diagnoses)
            tell(event)

        return await run_task(
            task,
            settings,
            buffers=ls.buffers(settings.workspace),
            on_event=tell_and_publish,
            model=model_of_editor(ls, settings),
            pool=ls.pool,
            consent=ls.ask,
        )

    return await ls.follow(TITLES[task.kind], work)


def _describe(ls: Session, selection: Selection) -> str:
    """What the developer has selected, in words for a model."""
    path = to_path(selection.uri)
    workspace = _try(ls.settings_for, selection.uri).workspace
    name = path.resolve().relative_to(workspace).as_posix() if path else selection.uri
    return f"Selected in {name}, lines {selection.start} to {selection.end}:\n```\n{selection.text}\n```"


def _settings(ls: Session) -> Settings:
    """Settings for what needs no workspace; the server's own folder stands in for it, and is never read."""
    return _try(load_settings, Path.cwd(), ls.overrides)


async def _proposal(ls: Session, run: str) -> tuple[Settings, Proposal]:
    """A run's proposal, and the settings for the workspace it is about."""
    settings = _settings(ls)
    record, proposal = await _read(history.load_proposal, settings, run)
    started = record.started()
    return replace(settings, workspace=Path(started.workspace)) if started else settings, proposal


def _try(call: Callable[..., T], *arguments: object) -> T:
    try:
        return call(*arguments)
    except CodeActError as error:
        raise JsonRpcException(str(error), REQUEST_FAILED) from None


async def _read(call: Callable[..., T], *arguments: object) -> T:
    return await asyncio.to_thread(_try, call, *arguments)
