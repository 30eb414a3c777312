"""A node that says what a test wants: JSON-RPC over HTTP on loopback, one answer per method."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from custody.chain.json_rpc import JsonRpc, RpcLogin

Reply = tuple[int, bytes]

REGTEST_TIP = "ab" * 32
DEFAULT_ANSWERS: dict[str, Any] = {
    "getblockchaininfo": {
        "chain": "regtest",
        "blocks": 7,
        "headers": 7,
        "pruned": False,
        "initialblockdownload": False,
    },
    "getnetworkinfo": {"version": 270000},
    "getbestblockhash": REGTEST_TIP,
    "getblockheader": {"hash": REGTEST_TIP, "height": 7, "mediantime": 1_700_000_000},
    "getblockcount": 7,
}


class Raw(str):
    """JSON text that goes into the answer as it stands, numbers included."""

    __slots__ = ()


class RpcError(dict[str, Any]):
    """An error that the node itself answers."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code=code, message=message)


@dataclass
class FakeNode:
    """Answers by method; `reply` replaces whole HTTP replies."""

    url: str
    answers: dict[str, Any] = field(default_factory=lambda: dict(DEFAULT_ANSWERS))
    reply: Callable[[bytes], Reply] | None = None
    calls: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def rpc(self, *, timeout_s: int = 5, warmup_tries: int = 1) -> JsonRpc:
        """Return a connection to it."""
        login = RpcLogin(self.url, user="alice", password="planted-canary")
        return JsonRpc(login, timeout_s=timeout_s, warmup_tries=warmup_tries)

    def handle(self, body: bytes) -> Reply:
        """Answer one HTTP request."""
        if self.reply is not None:
            return self.reply(body)
        asked = json.loads(body)
        texts = [self._answer(one) for one in (asked if isinstance(asked, list) else [asked])]
        return 200, (f"[{','.join(texts)}]" if isinstance(asked, list) else texts[0]).encode()

    def _answer(self, request: dict[str, Any]) -> str:
        method = request["method"]
        self.calls.append(method)
        answer = self.answers.get(method, RpcError(-32601, "Method not found"))
        if callable(answer):
            answer = answer(request["params"])
        result = "null" if isinstance(answer, RpcError) else _text(answer)
        error = json.dumps(answer) if isinstance(answer, RpcError) else "null"
        return f'{{"result":{result},"error":{error},"id":{json.dumps(request["id"])}}}'


def _text(answer: Any) -> str:
    return str(answer) if isinstance(answer, Raw) else json.dumps(answer)


@contextmanager
def fake_node() -> Iterator[FakeNode]:
    """Serve a fake node until the block ends."""
    fake = FakeNode("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.authorizations.append(self.headers.get("Authorization"))
            status, content = fake.handle(self.rfile.read(int(self.headers["Content-Length"])))
            # The caller may have given up meanwhile: that is what some tests are about.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
