"""Output that may be endless, kept in bounds: its head and its tail."""

from __future__ import annotations

import os


class Capture:
    """Reads one pipe and keeps at most `limit` bytes: the first half of them from the head, the rest from the tail."""

    def __init__(self, descriptor: int, limit: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.half = max(limit // 2, 1)
        self.open = True
        self.clear()

    def clear(self) -> None:
        """Forget what was read."""
        self.head = bytearray()
        self.tail = bytearray()
        self.total = 0

    def read(self) -> bytes:
        """Read what is there now; returns it too. At the end of the stream `open` becomes false."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.open = False
            return b""
        self.total += len(data)
        room = self.half - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(room, 0) :]
        if len(self.tail) > self.half:
            del self.tail[: len(self.tail) - self.half]
        return data

    def drain(self) -> None:
        """Read all that is there now."""
        while self.open and self.read():
            pass

    def text(self) -> str:
        """What was kept; the gap is marked."""
        missing = self.total - len(self.head) - len(self.tail)
        gap = f"\n[... {missing} bytes left out ...]\n".encode() if missing else b""
        return (bytes(self.head) + gap + bytes(self.tail)).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.descriptor)
        self.open = False
