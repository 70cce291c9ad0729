"""The Worker: process 1 of a sandbox, which does what the host asks and nothing that the sandbox's code asks.

As process 1 of its own process namespace it cannot be killed or stopped from inside, adopts every orphan, and can end
all others in one stroke. It hides its memory, so that nothing inside can forge its messages. Requests come in on its
standard input and answers go out on its standard output, one JSON object per line; when its input ends, so does the
sandbox. The host is `codeact.sandboxes.channel`.

Standard library only, and little of it: what is imported here is waited for before the first action. `typing` alone
would take longer than the rest.
"""

from __future__ import annotations

import binascii
import json
import os
import select
import signal
import struct
import sys
import time

from codeact_sandbox import guard, interpreter, landlock
from codeact_sandbox.capture import Capture
from codeact_sandbox.forks import Forks
from codeact_sandbox.meter import Meter
from codeact_sandbox.shared import SharedMemory
from codeact_sandbox.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing `typing` would take longer than the rest
    from typing import Any

TICK = 0.05
GENTLE_ROUNDS = 40
MAX_REPORT = 64 * 1024 * 1024
MAX_RESULT = 64 * 1024 * 1024
LOST = "The variables of earlier actions are lost."


class Ended(Exception):
    """The host is gone, so there is nobody to work for."""


class Stopped(Exception):
    """What was running was killed; the message says why, `field` names it in the answer."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Worker:
    """Holds the line to the host, the view, and the interpreter of actions if one runs."""

    def __init__(self, config: dict[str, Any], source: int, sink: int) -> None:
        self.config = config
        self.limits = config["limits"]
        self.source = source
        self.sink = sink
        self.pending = b""
        self.view = View(config["root"], config["snapshot"], config["excluded"], config["layer"])
        self.meter = Meter(config["root"], config["upper"])
        self.shared = SharedMemory()
        self.forks = Forks(config["root"])
        self.child: dict[str, Any] | None = None
        self.program = 0
        self.looked = 0.0
        self.request = 0

    def serve(self) -> None:
        """Answer requests until the host closes the line."""
        while True:
            message = self._next_request()
            self.request = message["id"]
            if message["op"] == "cancel":
                continue
            answer: dict[str, Any]
            try:
                answer = getattr(self, "do_" + message["op"])(message)
            except Stopped as stopped:
                answer = {stopped.field: True, "message": str(stopped)}
            except (OSError, ValueError, KeyError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            self._send({"done": answer})

    def do_execute(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run an action in the interpreter, which is started if there is none."""
        child = self.child or self._start_interpreter()
        code = message["code"].encode("utf-8", "surrogatepass")
        started = time.monotonic()
        for capture in (child["stdout"], child["stderr"]):
            capture.drain()
            capture.clear()
        outcome: dict[str, Any] = {}
        try:
            outcome = self._converse(child, code, started + message["timeout"])
        except Stopped as stopped:
            outcome = {stopped.field: True, "message": f"{stopped} {LOST}"}
        for capture in (child["stdout"], child["stderr"]):
            capture.drain()
        outcome.update(stdout=child["stdout"].text(), stderr=child["stderr"].text(), seconds=time.monotonic() - started)
        if self.child is None:
            self._forget(child)
        return outcome

    def do_spawn(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run a program, and end whatever it leaves behind."""
        if message["warm"]:
            self.forks.start(message["argv"][0], self._enter_fork_server)
        before = _others()
        started = time.monotonic()
        child = self.child
        pid, stdout, stderr, report = self._start_program(message)
        outcome: dict[str, Any] = {}
        try:
            outcome["exit_code"] = self._wait(pid, (stdout, stderr), report, started + message["timeout"])
        except Stopped as stopped:
            outcome = {stopped.field: True, "exit_code": -signal.SIGKILL}
        if child and not self.child:
            self._forget(child)
        self.program = 0
        _kill(_others() - before - self.forks.processes())
        for capture in (stdout, stderr):
            capture.drain()
        outcome.update(stdout=stdout.text(), stderr=stderr.text(), seconds=time.monotonic() - started)
        for capture in (stdout, stderr, *([report] if report else [])):
            capture.close()
        return outcome

    def do_preload(self, message: dict[str, Any]) -> dict[str, Any]:
        """Begin to load what warm programs are forked from, and what the first action waits for."""
        self.forks.start(message["python"], self._enter_fork_server)
        interpreter.load_helpers()
        if not self.child:
            self._start_interpreter()
        return {}

    def do_attach(self, message: dict[str, Any]) -> dict[str, Any]:
        """Make files part of the snapshot. What started before and looked which folders there are, starts anew."""
        if self.view.attach(message["files"]):
            self.forks.close()
            self._end_interpreter()
        return {}

    def do_write(self, message: dict[str, Any]) -> dict[str, Any]:
        """Put files into the view."""
        for path, state in message["files"].items():
            self.view.write(path, state)
        return {}

    def do_changes(self, _: dict[str, Any]) -> dict[str, Any]:
        """Tell how the view differs from the snapshot."""
        return self.view.changes()

    def do_restore(self, _: dict[str, Any]) -> dict[str, Any]:
        """End what runs, and put view and scratch back to where they were at the start."""
        self._end_interpreter()
        self.view.restore()
        for folder in ("/tmp", "/dev/shm"):
            _empty(folder, keep=self.config["root"])
        os.makedirs("/tmp/home", exist_ok=True)
        return {}

    def _start_interpreter(self) -> dict[str, Any]:
        commands, results, stdout, stderr = os.pipe(), os.pipe(), os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            self._enter_child(stdout[1], stderr[1])
            try:
                interpreter.serve(commands[0], results[1], self.config["root"])
            finally:
                os._exit(0)
        for descriptor in (commands[0], results[1], stdout[1], stderr[1]):
            os.close(descriptor)
        limit = self.limits["output_bytes"]
        self.child = {
            "pid": pid,
            "commands": commands[1],
            "results": results[0],
            "stdout": Capture(stdout[0], limit),
            "stderr": Capture(stderr[0], limit),
        }
        return self.child

    def _start_program(self, message: dict[str, Any]) -> tuple[int, Capture, Capture, Capture | None]:
        stdout, stderr = os.pipe(), os.pipe()
        report = os.pipe() if message["report"] else None
        descriptors = (stdout[1], stderr[1], *(report[1:] if report else ()))
        pid = self.forks.fork(message["argv"][2:], message["environ"], descriptors) if message["warm"] else 0
        if not pid:
            pid = self._start_cold(message, descriptors)
        self.program = pid
        for pair in (stdout, stderr, *([report] if report else [])):
            os.close(pair[1])
        limit = self.limits["output_bytes"]
        received = Capture(report[0], 1) if report else None
        return pid, Capture(stdout[0], limit), Capture(stderr[0], limit), received

    def _start_cold(self, message: dict[str, Any], descriptors: tuple[int, ...]) -> int:
        environ = {**os.environ, **message["environ"]}
        pid = os.fork()
        if pid == 0:
            try:
                for report in descriptors[2:]:
                    os.set_inheritable(report, True)  # noqa: FBT003 - positional only
                    environ["CODEACT_REPORT_FD"] = str(report)
                self._enter_child(*descriptors[:2])
                os.execvpe(message["argv"][0], message["argv"], environ)  # noqa: S606 - no shell is wanted
            except OSError as error:
                os.write(2, f"{message['argv'][0]}: {error.strerror}\n".encode())
            finally:
                os._exit(127)
        return pid

    def _enter_fork_server(self) -> None:
        sink = os.open(os.devnull, os.O_WRONLY)
        self._enter_child(sink, sink)

    def _enter_child(self, stdout: int, stderr: int) -> None:
        """In a child: own session, own output, no way to the host, and the limits."""
        os.setsid()
        for descriptor, target in ((stdout, 1), (stderr, 2)):
            os.dup2(descriptor, target)
        for descriptor in (self.source, self.sink):
            os.close(descriptor)
        os.chdir(self.config["root"])
        guard.expose()
        limits = self.limits
        guard.limit(
            limits["memory_bytes"], limits["processes"], limits["open_files"], limits["view_bytes"], limits["cpus"]
        )

    def _converse(self, child: dict[str, Any], code: bytes, deadline: float) -> dict[str, Any]:
        """Send code to the interpreter and collect its answer, reading its output meanwhile."""
        try:
            _write_all(child["commands"], struct.pack("I", len(code)) + code)
        except OSError:
            return self._died(child)
        answer = bytearray()
        while True:
            ready = self._select([child["results"]], [child["stdout"], child["stderr"]], deadline)
            if child["results"] in ready:
                piece = os.read(child["results"], 1 << 20)
                if not piece:
                    return self._died(child)
                answer += piece
                if len(answer) > MAX_RESULT:
                    raise self._stop("failed", "The action's result is too large.")
                if len(answer) >= 4 and len(answer) >= 4 + struct.unpack("I", answer[:4])[0]:  # noqa: PLR2004
                    break
        outcome: dict[str, Any] = json.loads(answer[4:])
        return outcome

    def _died(self, child: dict[str, Any]) -> dict[str, Any]:
        _, status = os.waitpid(child["pid"], 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        self._end_all()
        how = f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
        text = f"The interpreter ended {how}. {LOST}"
        return {"failure": {"type": "InterpreterDied", "message": text, "traceback": text}}

    def _wait(self, pid: int, outputs: tuple[Capture, Capture], report: Capture | None, deadline: float) -> int:
        """Wait for a program's end; its output is kept and its report passed on as it comes."""
        sent = 0
        while True:
            captures = [*outputs, *([report] if report else [])]
            ready = self._select([], list(outputs), deadline, report)
            if report and report.descriptor in ready:
                sent += self._pass_on(report, sent)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                while report and report.open and (piece := self._pass_on(report, sent)):
                    sent += piece
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
            if not any(capture.open for capture in captures):
                time.sleep(0.001)

    def _pass_on(self, report: Capture, sent: int) -> int:
        data = report.read()
        if data and sent < MAX_REPORT:
            self._send({"report": binascii.b2a_base64(data, newline=False).decode("ascii")})
        return len(data)

    def _select(
        self, plain: list[int], captures: list[Capture], deadline: float, report: Capture | None = None
    ) -> list[int]:
        """Wait a little for something to read; time, memory and the host's word are looked after meanwhile."""
        now = time.monotonic()
        if now >= deadline:
            raise self._stop("timed_out", "It was stopped since its time was over.")
        watched = [capture.descriptor for capture in captures if capture.open]
        extra = [report.descriptor] if report and report.open else []
        ready, _, _ = select.select([*plain, *watched, *extra, self.source], [], [], min(TICK, deadline - now))
        for capture in captures:
            if capture.open and capture.descriptor in ready:
                capture.read()
        if self.source in ready:
            self._hear_cancel()
        if not ready or now - self.looked > TICK:
            self.looked = now
            self._reap()
            memory = self.limits["memory_bytes"]
            if _resident() > memory or self.shared.is_over(memory, _others()):
                raise self._stop("out_of_memory", "It was stopped since the sandbox's memory was used up.")
            if self.meter.is_over(self.limits["view_bytes"]):
                raise self._stop("out_of_space", "It was stopped since it wrote more than a view may hold.")
        return ready

    def _hear_cancel(self) -> None:
        message = self._next_request()
        if message["op"] == "cancel":
            raise self._stop("cancelled", "It was cancelled.")
        raise ValueError(f"{message['op']!r} while another request is worked on")

    def _stop(self, field: str, message: str) -> Stopped:
        self._end_all()
        return Stopped(field, message)

    def _end_interpreter(self) -> None:
        """End all that runs while nobody waits for the interpreter."""
        child = self.child
        self._end_all()
        if child:
            self._forget(child)

    def _end_all(self) -> None:
        """Kill every process of the sandbox but the fork server, and wait until all are gone."""
        self.child, self.program = None, 0
        for _ in range(GENTLE_ROUNDS):
            others = _others() - self.forks.processes()
            if not others:
                return
            _kill(others)
            self._reap()
            time.sleep(0.001)
        self.forks.close()  # something begins processes faster than they are ended one by one
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                break
            except PermissionError:
                break
            self._reap()
            time.sleep(0.001)
        self._reap()

    def _reap(self) -> None:
        """Collect dead orphans; the program and the interpreter are waited for where they were started."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or found.si_pid in self._own():
                    return
                os.waitpid(found.si_pid, os.WNOHANG)
            except ChildProcessError:
                return

    def _own(self) -> tuple[int, ...]:
        return (self.program, self.child["pid"] if self.child else 0)

    def _forget(self, child: dict[str, Any]) -> None:
        os.close(child["commands"])
        os.close(child["results"])
        child["stdout"].close()
        child["stderr"].close()

    def _next_request(self) -> dict[str, Any]:
        while b"\n" not in self.pending:
            data = os.read(self.source, 1 << 20)
            if not data:
                raise Ended
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _send(self, message: dict[str, Any]) -> None:
        _write_all(self.sink, json.dumps({"id": self.request, **message}).encode("ascii") + b"\n")


def main() -> None:
    """Take over as process 1: `worker.py CONFIG`, a JSON object."""
    config = json.loads(sys.argv[1])
    source, sink = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(quiet, descriptor)
    guard.become(config["uid"], config["gid"])
    notes = [guard.harden(), landlock.restrict([config["root"], "/tmp", "/dev/shm"])]
    os.chdir(config["root"])
    os.makedirs("/tmp/home", exist_ok=True)
    worker = Worker(config, source, sink)
    version = ".".join(map(str, sys.version_info[:3]))
    worker._send({"ready": {"python": version, "note": "; ".join(filter(None, notes))}})  # noqa: SLF001
    try:
        worker.serve()
    except (Ended, BrokenPipeError):
        pass
    except BaseException:  # noqa: BLE001 - whatever it was: the host shows the worker's last words
        sys.excepthook(*sys.exc_info())
    finally:
        worker._end_all()  # noqa: SLF001 - the module's own class
        os._exit(0)


def _others() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1}


def _kill(pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _resident() -> int:
    """Bytes of memory that all other processes hold; what they share counts for each."""
    pages = 0
    for pid in _others():
        try:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                fields = file.read().split()
            pages += int(fields[1]) - int(fields[2])
        except (OSError, IndexError, ValueError):
            continue
    return pages * os.sysconf("SC_PAGE_SIZE")


def _empty(folder: str, keep: str) -> None:
    """Delete what is in a folder, but for the way to the view if that lies in it."""
    from codeact_sandbox.view import _remove

    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if keep == path or keep.startswith(path + "/"):
            continue
        try:
            _remove(path)
        except OSError:
            continue


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
