"""JSON-RPC over HTTP to a bitcoind, with the standard library alone.

Numbers come back as int or Decimal, never as floats. Every failure of transport, of login or
of form is a `ChainUnavailable`; an error that the node itself answers is an `RpcRefused` with
the node's number, for callers that know what it means. A busy node is asked again for a while.
The password is in no message and no representation.
"""

import base64
import http.client
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import NoReturn, TypeAlias
from urllib.parse import quote, urlsplit

from custody.atomic import read_file
from custody.codes import Code
from custody.errors import ChainUnavailable, CustodyError, InvalidInput

RpcValue: TypeAlias = "bool | int | str | Decimal | list[RpcValue] | dict[str, RpcValue] | None"
Params: TypeAlias = "Sequence[RpcValue] | Mapping[str, RpcValue]"

RPC_IN_WARMUP = -28
DEFAULT_TIMEOUT_S = 60
MAX_ANSWER_BYTES = 512_000_000
_BATCH_SIZE = 250
_WARMUP_TRIES = 10
_MAX_COOKIE_BYTES = 1000


class RpcRefused(ChainUnavailable):
    """The node answered with an error of its own."""

    def __init__(self, method: str, number: int, words: str) -> None:
        super().__init__(
            Code.NODE_REJECTED,
            f"the node refuses `{method}`: {words}",
            advice="Read the node's own words; its log says more.",
            details={"method": method, "rpc_code": number, "reason": words},
        )
        self.number = number
        """Bitcoin Core's RPC error number, such as -18."""
        self.words = words


class RpcTimeout(ChainUnavailable):
    """No answer within the time limit; the node may still be at work."""


@dataclass(frozen=True, slots=True)
class RpcLogin:
    """Where the node is and who asks: a cookie file, or a user and a password."""

    url: str
    """`http://host:port` or `https://host:port`, without a user or password in it."""
    cookie_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class JsonRpc:
    """Calls one node; each call has a connection of its own, so threads may share it."""

    login: RpcLogin
    wallet: str | None = None
    """Calls go to this wallet's own address on the node."""
    timeout_s: int = DEFAULT_TIMEOUT_S
    warmup_tries: int = _WARMUP_TRIES
    """How often a node that is starting is asked again, a second apart."""

    def for_wallet(self, wallet: str) -> "JsonRpc":
        """Return the same connection, bound to a wallet."""
        return replace(self, wallet=wallet)

    def with_timeout(self, timeout_s: int) -> "JsonRpc":
        """Return the same connection with another time limit."""
        return replace(self, timeout_s=timeout_s)

    def call(self, method: str, params: Params = ()) -> RpcValue:
        """Call one method.

        Raises:
            RpcRefused: the node's own error.
            RpcTimeout: no answer in time.
            ChainUnavailable: NODE_UNREACHABLE, NODE_BUSY, NODE_ANSWER_INVALID.
        """
        answers = self._exchange(method, [(method, params)])
        return _result(method, answers[0])

    def batch(self, method: str, many: Iterable[Params]) -> list["RpcValue | RpcRefused"]:
        """Call one method with many parameters; an error of the node stands in its place in the list."""
        waiting = list(many)
        results: list[RpcValue | RpcRefused] = []
        for start in range(0, len(waiting), _BATCH_SIZE):
            part = [(method, params) for params in waiting[start : start + _BATCH_SIZE]]
            for answer in self._exchange(method, part):
                try:
                    results.append(_result(method, answer))
                except RpcRefused as error:
                    results.append(error)
        return results

    def _exchange(self, method: str, calls: Sequence[tuple[str, Params]]) -> list[dict[str, RpcValue]]:
        single = len(calls) == 1
        requests = [
            {"jsonrpc": "1.0", "id": at, "method": name, "params": _plain(p)} for at, (name, p) in enumerate(calls)
        ]
        body = json.dumps(requests[0] if single else requests).encode()
        for attempt in range(self.warmup_tries):
            time.sleep(min(attempt, 1))
            answers = _ordered(method, self._post(method, body), len(calls))
            if not any(_is_warming_up(answer) for answer in answers):
                return answers
        raise _busy("the node is still starting")

    def _post(self, method: str, body: bytes) -> RpcValue:
        for attempt in range(self.warmup_tries):
            time.sleep(min(attempt, 1))
            status, raw = self._send(method, body)
            if status != http.client.SERVICE_UNAVAILABLE:
                return _decoded(method, status, raw)
        raise _busy("the node's queue of requests is full")

    def _send(self, method: str, body: bytes) -> tuple[int, bytes]:
        connection = _connect(self.login.url, self.timeout_s)
        path = "/" if self.wallet is None else "/wallet/" + quote(self.wallet, safe="")
        headers = {"Content-Type": "application/json", "Authorization": _authorization(self.login)}
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            raw = response.read(MAX_ANSWER_BYTES + 1)
        except TimeoutError as error:
            raise RpcTimeout(
                Code.NODE_UNREACHABLE,
                f"the node did not answer `{method}` within {self.timeout_s} s",
                advice="Check that the node is running and not overloaded, then try again.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(f"the node at `{self.login.url}` can't be reached") from error
        finally:
            connection.close()
        if len(raw) > MAX_ANSWER_BYTES:
            raise invalid_answer(method, f"is larger than {MAX_ANSWER_BYTES} bytes")
        return response.status, raw


def invalid_answer(method: str, what: str) -> ChainUnavailable:
    """Return the error for an answer that isn't what the method's documentation promises."""
    return ChainUnavailable(
        Code.NODE_ANSWER_INVALID,
        f"the node's answer to `{method}` {what}",
        advice="Check that this is a Bitcoin Core node of version 27 or newer and nothing stands between.",
        details={"method": method},
    )


def _connect(url: str, timeout_s: int) -> http.client.HTTPConnection:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_url() from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None:
        raise _bad_url()
    if parts.username is not None or parts.password is not None or parts.path not in ("", "/") or parts.query:
        raise _bad_url()
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, port, timeout=timeout_s)


def _bad_url() -> InvalidInput:
    # The text itself is not repeated: a wrong URL often has the password in it.
    return InvalidInput(
        Code.NODE_UNREACHABLE,
        "the node's address is not like `http://127.0.0.1:8332`",
        advice="Write scheme, host and port, without a user, a password or a path.",
    )


def _authorization(login: RpcLogin) -> str:
    if login.cookie_file is not None:
        secret = _cookie(login.cookie_file)
    elif login.user is not None and login.password is not None:
        secret = f"{login.user}:{login.password}".encode()
    else:
        raise _unreachable("no cookie file and no user with a password are set for the node")
    return "Basic " + base64.b64encode(secret).decode()


def _cookie(path: Path) -> bytes:
    # Read at each call: the node writes a new one at each start.
    try:
        return read_file(path, max_bytes=_MAX_COOKIE_BYTES).strip()
    except CustodyError as error:
        raise ChainUnavailable(
            Code.NODE_UNREACHABLE,
            f"the node's cookie file `{path}` can't be read",
            advice="Start the node, check the path, and let this user read the file.",
        ) from error


def _decoded(method: str, status: int, raw: bytes) -> RpcValue:
    if status == http.client.UNAUTHORIZED:
        raise _unreachable("the node refuses the login")
    if status == http.client.FORBIDDEN:
        raise _unreachable("the node doesn't let this address or user in (rpcallowip, rpcwhitelist)")
    try:
        value: RpcValue = json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid_answer(method, f"is no JSON (HTTP status {status})") from error
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _ordered(method: str, value: RpcValue, count: int) -> list[dict[str, RpcValue]]:
    answers = value if isinstance(value, list) else [value]
    by_id: dict[int, dict[str, RpcValue]] = {}
    for answer in answers:
        if not isinstance(answer, dict) or "result" not in answer:
            raise invalid_answer(method, "is no JSON-RPC answer")
        identity = answer.get("id")
        if isinstance(identity, bool) or not isinstance(identity, int):
            raise invalid_answer(method, "has no number")
        by_id[identity] = answer
    if sorted(by_id) != list(range(count)) or len(answers) != count:
        raise invalid_answer(method, "answers something else than was asked")
    return [by_id[at] for at in range(count)]


def _result(method: str, answer: dict[str, RpcValue]) -> RpcValue:
    error = answer.get("error")
    if error is None:
        return answer["result"]
    number, words = _error_parts(error)
    if number is None or words is None:
        raise invalid_answer(method, "is an error without number and words")
    raise RpcRefused(method, number, words)


def _error_parts(error: RpcValue) -> tuple[int | None, str | None]:
    if not isinstance(error, dict):
        return None, None
    number, words = error.get("code"), error.get("message")
    return number if isinstance(number, int) else None, words if isinstance(words, str) else None


def _is_warming_up(answer: dict[str, RpcValue]) -> bool:
    return _error_parts(answer.get("error"))[0] == RPC_IN_WARMUP


def _plain(params: Params) -> "list[RpcValue] | dict[str, RpcValue]":
    return dict(params) if isinstance(params, Mapping) else list(params)


def _busy(what: str) -> ChainUnavailable:
    return ChainUnavailable(Code.NODE_BUSY, what, advice="Wait a moment, then repeat the command.")


def _unreachable(what: str) -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_UNREACHABLE,
        what,
        advice="Check that the node is running, and that its address, port and login are right: in custody.yaml, or "
        "--node with --cookie, or with --user and --password-file.",
    )
