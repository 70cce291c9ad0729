"""Pytest's rewriting of assertions, done ahead: in the fork server, so that no fork has to do it again.

Pytest compiles each test file anew, with its assertions taken apart, where it may write no cache beside the file. That
takes longer than most tests. The code is kept by the file's bytes, so a changed file is rewritten as ever. All of it
leans on names that are pytest's own: where they are missing, or mean something else, pytest simply does its own work.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote, unquote

MAX_FILES = 300
MAX_SIZE = 1 << 19  # bytes of one file

_kept: dict[tuple[str, bytes], Any] = {}
_missed: list[str] = []


@contextlib.contextmanager
def of_plugins() -> Iterator[None]:
    """Have the assertions of plugins rewritten as they are imported, since pytest objects to plugins without that."""
    hook: Any = None
    with contextlib.suppress(Exception):  # names that other versions may not have
        from _pytest.assertion import install_importhook
        from _pytest.config import get_config

        config: Any = get_config()
        hook = install_importhook(config)
        mark = config._mark_plugins_for_rewrite  # noqa: SLF001 - there is no other way to do as pytest does
        try:
            mark(hook)
        except TypeError:  # since pytest 8.4
            mark(hook, False)  # noqa: FBT003 - pytest's own signature
    try:
        yield
    finally:
        if hook in sys.meta_path:
            sys.meta_path.remove(hook)


def use() -> None:
    """In a fork: take what was rewritten ahead, and note what was not."""
    with contextlib.suppress(Exception):
        import _pytest.assertion.rewrite

        rewrite: Any = _pytest.assertion.rewrite
        ordinary = rewrite._rewrite_test  # noqa: SLF001

        def rewrite_test(path: Path, config: Any) -> Any:  # noqa: ANN401
            if config.getini("enable_assertion_pass_hook"):
                return ordinary(path, config)
            found = _kept.get((str(path), path.read_bytes()))
            if found is None:
                _missed.append(str(path))
                found = ordinary(path, config)
            return found

        rewrite._rewrite_test = rewrite_test  # noqa: SLF001


def missed() -> list[str]:
    """The files that were not rewritten ahead, as words without spaces that begin with a slash."""
    return [quote(path) for path in _missed if os.path.isabs(path)]


def prepare(words: list[str]) -> bool:
    """In the fork server: rewrite these files ahead. Tells whether there was anything new."""
    new = False
    with contextlib.suppress(Exception):
        from _pytest.assertion import rewrite

        ordinary: Any = rewrite._rewrite_test  # noqa: SLF001
        for path in map(Path, map(unquote, words)):
            with contextlib.suppress(OSError, SyntaxError, ValueError):
                content = path.read_bytes() if path.stat().st_size <= MAX_SIZE else b""
                if content and (str(path), content) not in _kept:
                    _kept[str(path), content] = ordinary(path, None)
                    new = True
        while len(_kept) > MAX_FILES:
            del _kept[next(iter(_kept))]
    return new
