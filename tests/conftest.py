"""What the tests of several parts share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from openai_server import ScriptedOpenAI


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What loads the whole machine comes last, when no other test minds."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedOpenAI]]:
    """Start model servers that follow a script; see `tests/support/openai_server.py`."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> ScriptedOpenAI:
            return stack.enter_context(ScriptedOpenAI(*arguments, **options))

        yield start
