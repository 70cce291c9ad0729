"""`codeact prepare`, and the question before a run whether to do it."""

import asyncio
import sys
from argparse import Namespace

from codeact.containers import DEVCONTAINER, make_image
from codeact.environments import Offer, add_package, choose_interpreter, find_offer
from codeact.environments import prepare as build
from codeact.sandboxes import find_own
from codeact.settings import Settings
from codeact.terminal import Terminal

OK, WITHOUT = 0, 1


def prepare(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    """Prepare what a workspace asks for; with `--kit` what questions about data like, `--with` single packages."""
    if options.packages:
        return _add(options, settings, terminal)
    if settings.sandbox.image == DEVCONTAINER:
        made = make_image(settings, terminal.work_on)
        terminal.say(f"[green]✔[/] The image {made.image or made.tag} is there.")
        if made.left_out:
            terminal.hint(f"Not followed in devcontainer.json: {', '.join(made.left_out)}.")
        return OK
    if own := find_own(settings):
        terminal.say(f"Nothing to prepare: the workspace has its own environment, {own.executable}.")
        return OK
    offer = find_offer(settings, data=options.kit)
    if offer is None:
        terminal.say("Nothing to prepare: it is there already, or the workspace asks for nothing.")
        return OK
    _build(settings, terminal, offer)
    return OK


def offer_to_prepare(settings: Settings, terminal: Terminal, *, data: bool) -> None:
    """Before a run: ask whether what is missing may be fetched, if there is somebody to ask; else say how."""
    if settings.packages != "ask":
        return
    offer = find_offer(settings, data=data)
    if offer is None:
        return
    command = "codeact prepare --kit" if data else "codeact prepare"
    if not can_ask(terminal):
        terminal.hint(f"{offer.requirements.source} can be installed for runs, apart from the workspace: {command}")
        return
    terminal.say(f"No environment has what {offer.requirements.source} asks for.")
    try:
        answer = input(f"Fetch its {len(offer.requirements.lines)} packages now, apart from the workspace? [y/N] ")
    except EOFError:
        answer = ""
    if answer in ("y", "Y"):
        _build(settings, terminal, offer)


async def ask_in_terminal(question: str) -> bool:
    """Ask whoever sits at the terminal; a bare return means no."""
    answer = await asyncio.to_thread(input, f"{question} [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def can_ask(terminal: Terminal) -> bool:
    """Whether somebody sits at the terminal."""
    return not terminal.as_json and sys.stdin.isatty() and terminal.console.is_terminal


def _add(options: Namespace, settings: Settings, terminal: Terminal) -> int:
    interpreter = choose_interpreter(settings, terminal.work_on, data=options.kit)
    for requirement in options.packages:
        added = add_package(settings, requirement, interpreter, terminal.work_on)
        terminal.say(f"[green]✔[/] {', '.join(added.pins)}: runs that miss it find it from now on")
    return OK


def _build(settings: Settings, terminal: Terminal, offer: Offer) -> None:
    made = build(settings, offer.requirements, offer.interpreter.executable, terminal.work_on)
    terminal.say(f"[green]✔[/] {made.packages} packages for {made.source}, in {made.python.parent.parent}")
