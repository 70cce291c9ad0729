"""What a run changed, formatted as the workspace formats it: by its own formatter, in the sandbox, before the proof.

Only files that were formatted before are touched, and new ones; a formatter that is not configured, or not there, or
fails, changes nothing.
"""

import tomllib
from collections.abc import Mapping, Sequence

from codeact.sandboxes.base import Sandbox
from codeact.snapshot import Snapshot, read_file
from codeact.trajectory import FileState

Files = dict[str, FileState | None]
SECONDS = 30.0
CODE = (".py", ".pyi")


def find_formatter(snapshot: Snapshot) -> str:
    """The module of the formatter that the workspace has configured: `ruff`, `black`, or empty."""
    tools = read_tools(snapshot)
    if "black" in tools:
        return "black"
    has_file = any(read_file(snapshot, name) for name in ("ruff.toml", ".ruff.toml"))
    return "ruff" if has_file or "ruff" in tools else ""


def read_tools(snapshot: Snapshot) -> Mapping[str, object]:
    """The tables below `tool` of pyproject.toml; empty if there are none."""
    state = read_file(snapshot, "pyproject.toml")
    try:
        tools = tomllib.loads(state.content.decode("utf-8")).get("tool", {}) if state else {}
    except ValueError:
        return {}
    return tools if isinstance(tools, Mapping) else {}


async def format_files(sandbox: Sandbox, snapshot: Snapshot, files: Mapping[str, FileState | None]) -> Files:
    """The same files, formatted; the view is left with them.

    Args:
        sandbox: has the workspace's environment, in which the formatter is looked for.
        snapshot: what the files were before; it names the formatter.
        files: what was changed, by path.
    """
    formatter = find_formatter(snapshot)
    wanted = [path for path, state in files.items() if state and state.mode != "120000" and path.endswith(CODE)]
    if not formatter or not wanted:
        return dict(files)
    before = {path: state for path in wanted if (state := read_file(snapshot, path))}
    untidy = []
    if before:
        await sandbox.write(before)
        untidy = [path for path in before if not await _run(sandbox, formatter, ["--check"], [path])]
    await sandbox.write(files)
    chosen = [path for path in wanted if path not in untidy]
    if not chosen or not await _run(sandbox, formatter, [], chosen):
        return dict(files)
    now = (await sandbox.changes()).files
    formatted = {path: now[path] for path in chosen if now.get(path)}
    return {**files, **formatted}


async def _run(sandbox: Sandbox, formatter: str, options: Sequence[str], paths: Sequence[str]) -> bool:
    """Whether the formatter is content, or has done its work."""
    command = [sandbox.python, "-B", "-m", formatter, *(["format"] if formatter == "ruff" else []), *options]
    done = await sandbox.spawn([*command, "--quiet", "--", *paths], timeout=SECONDS)
    return done.exit_code == 0
