"""Programs in sandboxes take turns, within a process and between processes."""

import asyncio
import subprocess
import sys
from pathlib import Path

from codeact.sandboxes.turns import PLACES, in_turn, take_place


async def test_never_more_than_places_and_in_order(tmp_path: Path) -> None:
    """Twenty at once: bounded, each served, the first come first; one that fails or is cancelled leaves its place."""
    running, most, order = 0, 0, []

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        await asyncio.sleep(0.01)
        running -= 1
        if number == 3:
            raise ValueError
        return number

    call = in_turn(work, tmp_path)
    waiting = [asyncio.ensure_future(call(number)) for number in range(20)]
    await asyncio.sleep(0)
    waiting[19].cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert most == PLACES
    assert order == list(range(19))
    assert [type(end) for end in (ended[3], ended[19])] == [ValueError, asyncio.CancelledError]
    assert [end for end in ended if isinstance(end, int)] == [number for number in range(19) if number != 3]


async def test_other_processes_count_until_they_die(tmp_path: Path) -> None:
    """A place held by another process is not given; when that process is killed, it is."""
    program = (
        "import asyncio, pathlib, sys\nfrom contextlib import AsyncExitStack\nfrom codeact.sandboxes.turns import *\n"
        "async def hold():\n    async with AsyncExitStack() as stack:\n"
        "        for _ in range(PLACES): await stack.enter_async_context(take_place(pathlib.Path(sys.argv[1])))\n"
        "        print('held', flush=True)\n        await asyncio.sleep(600)\n"
        "from codeact.sandboxes.turns import PLACES, take_place\nasyncio.run(hold())"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - it is what the test is about
        [sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        taking = asyncio.ensure_future(_take(tmp_path))
        await asyncio.sleep(0.2)
        assert not taking.done()
        other.kill()
        await asyncio.wait_for(taking, 20)


async def _take(folder: Path) -> None:
    async with take_place(folder):
        pass
