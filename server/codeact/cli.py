"""The terminal's door: everything the editor can do.

Exit codes: 0 a verified proposal or a completed answer, 1 ended without one, 2 usage or environment, 130 cancelled.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from codeact import __version__
from codeact.errors import CodeActError
from codeact.settings import load_settings
from codeact.terminal import Terminal

OK, WITHOUT, USAGE = 0, 1, 2
RUN_HELP = "id of a run, an unambiguous part of it, or 'last'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    options = make_parser().parse_args(arguments)
    terminal = Terminal(as_json=options.json)
    try:
        settings = load_settings(Path(options.workspace), _overrides(options))
        module, _, function = options.command.partition(":")
        code: int = getattr(import_module(f"codeact.{module}"), function)(options, settings, terminal)
    except CodeActError as error:
        terminal.fail(str(error))
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WITHOUT
    finally:
        terminal.close()
    return code


def make_parser() -> argparse.ArgumentParser:
    """The command line's grammar. Each command names the function that carries it out, imported when it is used."""
    parser = argparse.ArgumentParser(
        prog="codeact",
        description="Fixes failing tests in a sandbox and shows you a diff that carries its own proof.",
        epilog="Nothing touches your files before you accept: codeact apply.",
    )
    parser.add_argument("--version", action="version", version=f"codeact {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common, running = _common_options(), _running_options()

    fix = commands.add_parser("fix", parents=[common, running], help="fix failing tests")
    fix.add_argument("tests", nargs="*", metavar="TEST", help="a path or a node id; all failing tests if none is given")
    fix.add_argument("--hint", dest="instruction", default="", help="what you already know about the failure")
    fix.add_argument(
        "--ladder", nargs="+", metavar="RUNG", help="what to try, in order: edits, answer, answers, talk (see the docs)"
    )
    fix.set_defaults(command="commands:task", kind="fix")
    for kind, meaning in (("ask", "answer, analyse, chart, or change the repository"), ("script", "write a script")):
        ask = commands.add_parser(kind, parents=[common, running], help=meaning)
        ask.add_argument("instruction", help="what you want, in your words")
        ask.set_defaults(command="commands:task", kind=kind, tests=[])
        if kind == "ask":
            ask.add_argument("--run", dest="follows", default="", metavar="RUN", help="go on from an earlier question")

    runs = commands.add_parser("runs", parents=[common], help="list runs, newest first")
    runs.set_defaults(command="commands:runs")
    for name, meaning in (
        ("show", "show every step of a run"),
        ("diff", "print the diff that a run proposes"),
        ("discard", "drop a run's proposal"),
        ("undo", "take back an applied proposal"),
        ("verify", "prove a proposal again, without any model"),
        ("replay", "walk a run's way again with its recorded answers"),
    ):
        command = commands.add_parser(name, parents=[common], help=meaning)
        command.add_argument("run", metavar="RUN", nargs="?", default="last", help=RUN_HELP)
        command.set_defaults(command=f"commands:{name}")
    artifacts = commands.add_parser("artifacts", parents=[common], help="list or save what a run handed over")
    artifacts.add_argument("run", metavar="RUN", nargs="?", default="last", help=RUN_HELP)
    artifacts.add_argument("--to", metavar="DIR", default="", help="save them there")
    artifacts.set_defaults(command="keepsakes:artifacts")
    scripts = commands.add_parser("scripts", parents=[common], help="list the scripts that were kept, or run one again")
    scripts.add_argument("script", nargs="?", default="", help="run it in a sandbox, and propose what it changes")
    scripts.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for the script, after --")
    scripts.set_defaults(command="keepsakes:scripts")
    clean = commands.add_parser("clean", parents=[common], help="remove old runs and their snapshots")
    clean.add_argument("--days", type=float, default=30, metavar="N", help="older than this (default: 30)")
    clean.set_defaults(command="keepsakes:clean")
    _add_apply(commands, common)
    _add_upkeep(commands, common)
    lsp = commands.add_parser("lsp", parents=[common], help="the language server, on standard input and output")
    lsp.add_argument("--stdio", action="store_true", help="the default; editors pass it")
    lsp.add_argument("--tcp", metavar="HOST:PORT", default="", help="listen there instead, for development")
    lsp.set_defaults(command="lsp:main")
    return parser


def _add_upkeep(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser
) -> None:
    """The commands about what CodeAct itself needs."""
    prepare = commands.add_parser(
        "prepare", parents=[common], help="install what the workspace asks for, apart from it (needs the network)"
    )
    prepare.add_argument("--kit", action="store_true", help="with libraries for questions about data")
    prepare.add_argument(
        "--with", dest="packages", action="append", default=[], metavar="PACKAGE", help="a package that runs may miss"
    )
    prepare.set_defaults(command="preparing:prepare")
    learned = commands.add_parser("learned", parents=[common], help="what earlier fixes and questions here have taught")
    learned.add_argument("--forget", nargs="?", const="all", metavar="ID", help="forget it: one, or all (the default)")
    learned.set_defaults(command="keepsakes:learned")
    doctor = commands.add_parser("doctor", parents=[common], help="what works here, and what mends the rest")
    doctor.set_defaults(command="commands:doctor")
    model = commands.add_parser("model", parents=[common], help="the embedded model")
    model.add_argument("action", choices=["list", "pull"])
    model.add_argument("name", nargs="?", default="", help="which one; the default one if left out")
    model.add_argument("--from", dest="source", default="", help="a file, folder or address to take it from")
    model.set_defaults(command="commands:model")


def _add_apply(commands: Any, common: argparse.ArgumentParser) -> None:  # noqa: ANN401 - argparse does not name it
    apply = commands.add_parser("apply", parents=[common], help="accept a proposal: write it to your files")
    apply.add_argument("run", metavar="RUN", nargs="?", default="last", help=RUN_HELP)
    apply.add_argument("--only", action="append", default=[], metavar="HUNK", help="a path or path#n; proven anew")
    apply.add_argument("--part", choices=["script", "effect"], default="", help="of a script: only it, or what it does")
    apply.add_argument("--group", action="append", type=int, default=[], metavar="N", help="what mends one cause")
    apply.add_argument("--unproven", action="store_true", help="accept it although nothing proves it")
    apply.set_defaults(command="commands:apply")


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--workspace", default=".", metavar="DIR", help="the folder to work on (default: this one)")
    common.add_argument("--sandbox", metavar="NAME", help="auto, docker or bubblewrap")
    common.add_argument("--python", metavar="PATH", help="the interpreter for the workspace's code")
    common.add_argument("--json", action="store_true", help="one JSON object per line, and nothing else")
    return common


def _running_options() -> argparse.ArgumentParser:
    running = argparse.ArgumentParser(add_help=False)
    running.add_argument("--model", metavar="NAME", help="auto, local, or a model name of your endpoint")
    running.add_argument("--apply", action="store_true", help="accept the proposal at once if it is verified")
    running.add_argument("--max-steps", type=int, metavar="N", help="turns of the model for each failing test")
    running.add_argument("--timeout", type=float, metavar="S", help="seconds for the whole run")
    return running


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """What the options say, shaped like the settings."""
    overrides: dict[str, Any] = {"model": {}, "sandbox": {}, "budget": {}}
    for name, section, key in (
        ("model", "model", "name"),
        ("sandbox", "sandbox", "backend"),
        ("python", "sandbox", "python"),
        ("max_steps", "budget", "max_steps"),
        ("timeout", "budget", "timeout"),
        ("ladder", "budget", "ladder"),
    ):
        value = getattr(options, name, None)
        if value is not None:
            overrides[section][key] = value
    return overrides
