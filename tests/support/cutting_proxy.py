"""A TCP proxy in front of a server, which cuts connections: at random, or exactly around a COMMIT.

What a network does to an office: the request is lost, or it arrives and its answer is lost.
"""

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from random import Random

_COMMIT = b"COMMIT\x00"
_CHUNK = 65_536


class Cut(Enum):
    """What becomes of a COMMIT that a client sends."""

    NONE = "passed on, and answered"
    REQUEST = "lost: the server never sees it"
    ANSWER = "carried out by the server, and its answer lost"


@dataclass
class CuttingProxy:
    """Listens on a loopback port; use it as a context manager."""

    target_port: int
    choose: Callable[[], Cut] = lambda: Cut.NONE
    """Asked at each COMMIT."""
    refuses: bool = False
    """Whether new connections are cut at once, as by a server that is gone."""
    cuts: list[Cut] = field(default_factory=list)
    """What was cut."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> "CuttingProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._closing.set()
        self._listener.close()
        self.cut_all()

    def cut_some(self, random: Random) -> None:
        """Cut one connection, whichever."""
        with self._lock:
            victims = [random.choice(sorted(self._open, key=id))] if self._open else []
        self._shut(victims)

    def cut_all(self) -> None:
        """Cut every connection."""
        with self._lock:
            victims = list(self._open)
        self._shut(victims)

    @staticmethod
    def _shut(victims: list[socket.socket]) -> None:
        for victim in victims:
            with suppress(OSError):
                victim.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.refuses:
                return
            with socket.create_connection(("127.0.0.1", self.target_port)) as server:
                with self._lock:
                    self._open.add(client)
                try:
                    self._pump(client, server)
                finally:
                    with self._lock:
                        self._open.discard(client)

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _events in ready.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(_CHUNK)
                    if not data:
                        return
                    cut = self.choose() if source is client and _COMMIT in data else Cut.NONE
                    if cut is not Cut.NONE:
                        self.cuts.append(cut)
                    if cut is Cut.REQUEST:
                        return
                    key.data.sendall(data)
                    if cut is Cut.ANSWER:
                        server.recv(_CHUNK)  # the server has committed when it answers
                        return
