"""A container's standard streams, over the one connection that the engine gives for them.

The engine sends output and errors in frames (an 8 byte header: stream, 3 zero bytes, length), as its API documents for
containers without a terminal. The connection may be a Unix socket, TCP, TLS or SSH, so a thread reads it.
"""

import asyncio
import struct
import threading
from typing import Any

from codeact.errors import SandboxDied
from codeact.sandboxes.channel import MAX_LINE

HEADER = struct.Struct(">BxxxI")
OUTPUT = 1
SMALL = 32 * 1024
PIECE = 1 << 18
MAX_ERRORS = 4096


class Attached:
    """Both directions of a container's streams. `reader` gives its output; the end of its errors is kept."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a socket, or what the transport has in its place
        self._socket = getattr(connection, "_sock", connection)
        self._socket.settimeout(None)
        self._connection = connection  # closes the socket when it is collected
        self._loop = asyncio.get_running_loop()
        self.reader = asyncio.StreamReader(limit=MAX_LINE)
        self.errors = b""
        self._thread = threading.Thread(target=self._pump, name="docker streams", daemon=True)
        self._thread.start()

    async def send(self, data: bytes) -> None:
        """Write to the container's standard input.

        Raises:
            SandboxDied: the container has ended.
        """
        try:
            if len(data) <= SMALL:
                self._socket.sendall(data)
            else:
                await asyncio.to_thread(self._socket.sendall, data)
        except OSError:
            raise SandboxDied(f"The sandbox has ended. {await self.why()}".strip()) from None

    async def why(self) -> str:
        """The last words that the container wrote to its standard error."""
        await asyncio.to_thread(self._thread.join, 1)
        return self.errors.decode("utf-8", "replace").strip()

    async def close(self) -> None:
        """End both directions; the Worker ends with its input."""
        try:
            self._socket.shutdown(2)
        except OSError:
            pass
        finally:
            await asyncio.to_thread(self._thread.join, 5)
            self._connection.close()
            self._socket.close()

    def _pump(self) -> None:
        try:
            while header := self._receive(HEADER.size):
                stream, length = HEADER.unpack(header)
                while length:
                    piece = self._socket.recv(min(length, PIECE))
                    if not piece:
                        return
                    length -= len(piece)
                    if stream == OUTPUT:
                        self._tell(self.reader.feed_data, piece)
                    else:
                        self.errors = (self.errors + piece)[-MAX_ERRORS:]
        except OSError:
            return
        finally:
            self._tell(self.reader.feed_eof)

    def _receive(self, length: int) -> bytes:
        """Exactly so many bytes; none when the stream has ended."""
        data = b""
        while len(data) < length:
            piece = self._socket.recv(length - len(data))
            if not piece:
                return b""
            data += piece
        return data

    def _tell(self, call: Any, *arguments: bytes) -> None:  # noqa: ANN401 - two methods of a StreamReader
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)
