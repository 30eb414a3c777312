"""A proxy in front of a real node that changes what the node says: a lying, filtered or failing node.

It speaks JSON-RPC over HTTP, passes logins and wallet addresses through, and lets a test change each result.
"""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from custody.chain.json_rpc import RpcLogin

Lie = Callable[[str, Any, Any], Any]
"""Given method, parameters and the node's true result; returns what the client gets. May raise `Refusal`."""


class Refusal(Exception):
    """An error that the client gets instead of a result."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number = number
        self.words = words


@dataclass
class LyingNode:
    """A node as its client sees it through the proxy."""

    login: RpcLogin
    lie: Lie
    calls: list[str] = field(default_factory=list)
    """Every method that was asked for."""


@contextmanager
def lying_node(login: RpcLogin, lie: Lie) -> Iterator[LyingNode]:
    """Serve the node behind `login` with its answers changed, until the block ends."""
    proxy = LyingNode(login, lie)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = _forward(login, self.path, self.headers["Authorization"], body)
            with suppress(ValueError):
                content = _changed(proxy, json.loads(body), json.loads(content, parse_float=Decimal))
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.login = RpcLogin(f"http://127.0.0.1:{server.server_address[1]}", cookie_file=login.cookie_file)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _forward(login: RpcLogin, path: str, authorization: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(login.url.removeprefix("http://"))
    try:
        connection.request("POST", path, body, {"Authorization": authorization, "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _changed(proxy: LyingNode, asked: Any, answers: Any) -> bytes:
    many = isinstance(asked, list)
    by_id = {one["id"]: one for one in (answers if many else [answers])}
    told = [_told(proxy, one, by_id[one["id"]]) for one in (asked if many else [asked])]
    return json.dumps(told if many else told[0], default=_exact).encode()


def _told(proxy: LyingNode, request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    proxy.calls.append(request["method"])
    if answer.get("error") is not None:
        return answer
    try:
        return {**answer, "result": proxy.lie(request["method"], request["params"], answer["result"])}
    except Refusal as refusal:
        return {**answer, "result": None, "error": {"code": refusal.number, "message": refusal.words}}


def _exact(value: object) -> float:
    # Eight decimals of an amount below 21 million survive a double's shortest text.
    assert isinstance(value, Decimal)
    return float(value)
