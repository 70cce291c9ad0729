"""`codeact ask` and `codeact script` on the tasks of `tasks/`: how many end with the right artifact, answer or diff.

Each task is a run of the command line in a folder of its own. The numbers in a chart's data are checked, the diff is
applied by git, a kept script is run; and the workspace must be what it was.
"""

import argparse
import base64
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import errands
from rich.console import Console
from run import RESULTS, gather_facts
from trial import Setup, commit, fingerprint, run_codeact

HEADINGS = ("task", "kind", "outcome", "calls", "tokens in", "tokens out", "wall s", "doubt", "why not")
PROMISE = 0.8


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one task.

    Attributes:
        task: its name.
        kind: `ask` or `script`.
        outcome: `right`, `wrong` (CodeAct ended well, and the checker says no), `failed` (CodeAct said that it did not
            get there) or `error`.
        why: what the checker, or CodeAct, says against it.
        calls: requests to the model.
        prompt_tokens: tokens sent.
        completion_tokens: tokens received.
        seconds: wall time.
        doubtful: whether CodeAct said that its answer is in doubt.
        touched: whether the workspace changed, which must never be.
    """

    task: str
    kind: str
    outcome: str
    why: str = ""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    doubtful: bool = False
    touched: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tasks; 1 if a workspace changed, CodeAct broke, or too few ended right."""
    options = make_parser().parse_args(arguments)
    facts = {**gather_facts(options.model), "tasks": options.set}
    console = Console(highlight=False)
    chosen = errands.load_errands(options.set, tuple(options.only))
    results = []
    for number, errand in enumerate(chosen, 1):
        console.print(f"[{number}/{len(chosen)}] {errand.name}: {errand.title}", end=" ", markup=False)
        setup = Setup(options.model, options.sandbox, options.timeout)
        result = try_errand(errand, setup, options.keep and options.keep / errand.name)
        console.print(f"-> {result.outcome}, {result.seconds:.1f} s {result.why}", markup=False, soft_wrap=True)
        results.append(result)
    table = make_table(results, facts)
    console.print(table, markup=False, soft_wrap=True)
    if options.only == []:
        out = RESULTS / f"{facts['date']}-{re.sub(r'[^A-Za-z0-9.-]+', '-', options.model)}-tasks-{options.set}"
        RESULTS.mkdir(exist_ok=True)
        out.with_suffix(".md").write_text(table + "\n", "utf-8")
        out.with_suffix(".json").write_text(
            json.dumps([asdict(result) for result in results], indent=1) + "\n", "utf-8"
        )
    right = sum(result.outcome == "right" for result in results)
    broken = any(result.touched or result.outcome == "error" for result in results)
    return 1 if broken or right < PROMISE * len(results) else 0


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="benchmarks/tasks.py", description=__doc__)
    parser.add_argument("--set", choices=errands.SETS, default="unseen", help="prompts were never tuned on `unseen`")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these tasks only")
    parser.add_argument("--model", default="local", help="for codeact --model (default: the embedded one)")
    parser.add_argument("--sandbox", default="auto", help="for codeact --sandbox (default: auto)")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="S", help="seconds for each task")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep workspaces and journals there")
    return parser


def try_errand(errand: errands.Errand, setup: Setup, keep: Path | None = None) -> Result:
    """Let CodeAct do one task in a folder of its own."""
    with TemporaryDirectory(prefix="codeact-bench-") as folder:
        place = keep or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        workspace = place / "project"
        workspace.mkdir()
        errands.write_workspace(errand, workspace)
        commit(workspace)
        before = fingerprint(workspace)
        started = time.monotonic()
        result, trouble = run_codeact(workspace, place / "state", setup, [errand.kind, errand.instruction])
        seconds = time.monotonic() - started
        return describe(
            errand,
            result,
            trouble or check(errand, result, Path(folder) / "judged"),
            seconds,
            touched=fingerprint(workspace) != before,
            trouble=bool(trouble),
        )


def check(errand: errands.Errand, result: Mapping[str, Any], folder: Path) -> str:
    """What is wrong with a result; empty if nothing is."""
    if result["status"] in ("failed", "cancelled"):
        return str(result["message"])
    folder.mkdir()
    artifacts = {made["name"]: to_bytes(made["data"]) for made in result["artifacts"]}
    said = "\n".join([result["answer"], *result["printed"]])
    return errands.judge(errand, errands.Outcome(result["answer"], said, artifacts, result["diff"]), folder)


def to_bytes(data: Mapping[str, str]) -> bytes:
    """Bytes as `--json` writes them."""
    return base64.b64decode(data["base64"]) if "base64" in data else data["text"].encode("utf-8")


def describe(
    errand: errands.Errand, result: Mapping[str, Any], why: str, seconds: float, *, touched: bool, trouble: bool
) -> Result:
    """What came of it, with what CodeAct told about the run."""
    usage = result.get("usage", {})
    ended_well = result.get("status") in ("answered", "verified", "unverified")
    return Result(
        task=errand.name,
        kind=errand.kind,
        outcome="error" if trouble else "right" if not why else "wrong" if ended_well else "failed",
        why=" ".join(why.split())[:200],
        calls=usage.get("model_calls", 0),
        prompt_tokens=usage.get("prompt_tokens", 0),
        completion_tokens=usage.get("completion_tokens", 0),
        seconds=round(seconds, 1),
        doubtful=result.get("note", "").startswith("Doubtful"),
        touched=touched,
    )


def make_table(results: Sequence[Result], facts: Mapping[str, str]) -> str:
    """All results as Markdown, and what they come to."""
    rows = [HEADINGS, ("---",) * len(HEADINGS)]
    for one in results:
        figures = (one.calls, one.prompt_tokens, one.completion_tokens, one.seconds)
        told = "told" if one.doubtful else ""
        rows.append((one.task, one.kind, one.outcome, *map(str, figures), told, one.why.replace("|", "\\|")))
    right, wrong = ([one for one in results if one.outcome == word] for word in ("right", "wrong"))
    doubted = (sum(one.doubtful for one in group) for group in (right, wrong))
    touched = sum(one.touched for one in results)
    return "\n".join(
        [
            (
                f"{len(right)} of {len(results)} tasks right, {len(wrong)} ended well but wrong, "
                f"{touched} touched the workspace."
            ),
            "Told as doubtful: {} of those that are right, {} of those that are wrong.".format(*doubted),
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            ", ".join(f"{name} {value}" for name, value in facts.items()),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
