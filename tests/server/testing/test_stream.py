"""The report of a test process is hostile input: nothing in it breaks the host or turns a failing test into a passing one."""

import json
from typing import Any

import pytest

from codeact.sandboxes.base import Completed
from codeact.testing.stream import MAX_LINE, MAX_TEXT, Stream
from codeact.trajectory import Outcome, TestResult

DEAD = Completed(exit_code=-9, stdout="", stderr="", seconds=1.0)


def line(event: str, **fields: Any) -> bytes:
    return json.dumps({"event": event, **fields}).encode() + b"\n"


def fed(*lines: bytes) -> tuple[Stream, list[TestResult]]:
    heard: list[TestResult] = []
    stream = Stream(heard.append)
    stream.begin()
    stream.feed(line("session", root="/ws") + line("collected", ids=["t.py::a", "t.py::b"]))
    stream.feed(b"".join(lines))
    return stream, heard


def test_pieces_are_put_together() -> None:
    """Lines may arrive in any pieces; each result is passed on once, and results keep the order of collection."""
    stream = Stream(lambda _: None)
    data = line("collected", ids=["b", "a"]) + line("result", id="a", outcome="passed") + line("end", status=0)
    for byte in data:
        stream.feed(bytes([byte]))
    stream.feed(line("result", id="b", outcome="skipped", message="later"))
    assert [result.node_id for result in stream.in_order()] == ["b", "a"]
    assert stream.ended
    assert not stream.broken_lines


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\n", b"{\n", b"{}\n", b"[]\n", b'{"event": 3}\n', b"\xff\xfe\n", b'{"event": "result", "id": 5}\n',
        line("result", id="unknown", outcome="passed"), line("result", id="t.py::a", outcome="splendid"),
        line("result", id="t.py::a", outcome=["passed"]), line("collected", ids="all"), line("start", id="x"),
        b'{"event": ' + b"[" * 5000 + b"\n", b"{" + b"x" * (MAX_LINE + 10) + b"\n",
    ],
)  # fmt: skip
def test_what_is_no_event_is_passed_over_and_counted(garbage: bytes) -> None:
    """Broken, untyped, unknown or oversized lines change nothing but the count."""
    stream, heard = fed(garbage, line("result", id="t.py::a", outcome="passed"))
    assert [result.outcome for result in heard] == [Outcome.PASSED]
    assert stream.broken_lines == 1


def test_an_endless_line_takes_no_memory() -> None:
    """What never ends is cut, and what comes after its end is heard."""
    stream, heard = fed()
    for _ in range(40):
        stream.feed(b"x" * (MAX_LINE // 8))
        assert len(stream._rest) <= MAX_LINE + 1
    stream.feed(b"\n" + line("result", id="t.py::a", outcome="passed"))
    assert len(heard) == 1


def test_failing_is_final() -> None:
    """A second result cannot make a failing test pass, but can make a passing one fail."""
    stream, _ = fed(
        line("result", id="t.py::a", outcome="failed"), line("result", id="t.py::a", outcome="passed"),
        line("result", id="t.py::b", outcome="passed"), line("result", id="t.py::b", outcome="failed"),
    )  # fmt: skip
    assert [result.outcome for result in stream.in_order()] == [Outcome.FAILED, Outcome.FAILED]


def test_fields_are_bounded_and_typed() -> None:
    """Texts are cut, wrong types are dropped, and paths that lead out of the workspace are no frames."""
    frames = [
        {"path": "a.py", "line": 3, "function": "f", "values": [["x", "1"], ["y"], "z", [1, 2]]},
        {"path": "../b.py", "line": 3}, {"path": "/etc/passwd", "line": 3}, {"path": "a.py", "line": True}, 7,
    ]  # fmt: skip
    fields = {"seconds": float("nan"), "message": ["x"], "text": "y" * 99_999, "frames": frames, "called": "no"}
    _, heard = fed(line("result", id="t.py::a", outcome="failed", **fields))
    result = heard[0]
    assert result.seconds == 0.0
    assert len(result.traceback) == MAX_TEXT
    assert [(frame.path, frame.line, frame.values) for frame in result.frames] == [("a.py", 3, (("x", "1"),))]
    assert result.called == ()


def test_a_dead_process_is_blamed_on_what_ran() -> None:
    """The test that had started crashed; before collection ended, it is the file that was read."""
    stream, _ = fed(line("start", id="t.py::b"))
    assert stream.note_death(DEAD, 5) == "t.py::b"
    assert stream.results["t.py::b"].outcome is Outcome.CRASHED
    assert stream.results["t.py::b"].message == "the test process was ended by signal 9"
    assert stream.unfinished() == ("t.py::a",)
    early = Stream(lambda _: None)
    early.feed(line("collecting", id="t.py"))
    assert early.note_death(DEAD, 5) == "t.py"
    assert Stream(lambda _: None).note_death(DEAD, 5) == ""


def test_the_watchdogs_stack_tells_where_a_test_hangs() -> None:
    """What `faulthandler` writes makes it a timeout, with the workspace's places of the main thread, outermost first."""
    stack = (
        'Timeout (0:00:03)!\nThread 0x01 (most recent call first):\n  File "/ws/other.py", line 1 in thread\n\n'
        'Thread 0x02 (most recent call first):\n  File "/ws/src/spin.py", line 7 in spin\n'
        '  File "/usr/lib/x.py", line 2 in call\n  File "/ws/t.py", line 3 in a\n'
    )
    stream, _ = fed(line("start", id="t.py::a"), stack.encode())
    stream.note_death(DEAD, 5)
    result = stream.results["t.py::a"]
    assert result.outcome is Outcome.TIMEOUT
    assert result.message == "TimedOut: the test did not end within 5 s"
    assert [(frame.path, frame.line) for frame in result.frames] == [("t.py", 3), ("src/spin.py", 7)]
    assert not stream.broken_lines
