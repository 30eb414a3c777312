"""Rebuild a vault's addresses as a stream, on as many cores as may take part, in one fixed order.

Each helper process derives every so-manieth piece by both engines; all comparing happens here. A helper
that ends early costs time, not truth: its piece is derived here instead. Helpers hold nothing but their
end of a pipe, so they end with this process, however it ends.
"""

import signal
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection

from custody.audit.reconstruct import AddressRange, Engines, RebuiltAddress, Span, TwoAnswers, agreed
from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.ports import Progress
from custody.vault.vault import Vault

WORTH_HELPERS = 4_000
"""Fewer addresses are derived sooner than helpers have started."""
_AHEAD = 2
"""Pieces that each helper has been given and not yet answered."""


def rebuild_addresses(
    vault: Vault, wanted: AddressRange, progress: Progress, *, processes: int
) -> Iterator[list[RebuiltAddress]]:
    """Yield the wanted addresses piece by piece, each derived by two engines that agree on it.

    Raises:
        CheckFailed: ENGINES_DISAGREE; what was yielded before stands.
    """
    engines = Engines(vault.descriptor, vault.network)
    helpers = processes if processes > 1 and wanted.total >= WORTH_HELPERS else 0
    answers = _by_helpers(vault, wanted, engines, helpers) if helpers else _alone(wanted, engines)
    done = 0
    for span, answer in answers:
        piece = list(agreed(span, answer, vault.network))
        done += len(piece)
        progress("rebuilding addresses by two engines", done, wanted.total)
        yield piece


def _alone(wanted: AddressRange, engines: Engines) -> Iterator[tuple[Span, TwoAnswers]]:
    for span in wanted.spans():
        yield span, engines.derive(span)


def _by_helpers(vault: Vault, wanted: AddressRange, engines: Engines, count: int) -> Iterator[tuple[Span, TwoAnswers]]:
    context = get_context("spawn")
    pipes: list[Connection] = []
    processes = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, vault.descriptor, vault.network), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        yield from _in_order(wanted.spans(), pipes, engines)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.terminate()
            process.join()


def _in_order(spans: Iterator[Span], pipes: list[Connection], engines: Engines) -> Iterator[tuple[Span, TwoAnswers]]:
    """Give the pieces out in turn and take the answers back in the same turn."""
    waiting: deque[tuple[Span, Connection]] = deque()
    for turn, span in enumerate(islice(spans, _AHEAD * len(pipes))):
        waiting.append((span, pipes[turn % len(pipes)]))
        _ask(*waiting[-1])
    while waiting:
        span, pipe = waiting.popleft()
        answer = _answer(pipe)
        following = next(spans, None)
        if following is not None:
            waiting.append((following, pipe))
            _ask(following, pipe)
        yield span, answer or engines.derive(span)


def _ask(span: Span, pipe: Connection) -> None:
    with suppress(OSError):  # a helper that has ended is noticed when its answer is read
        pipe.send(span)


def _answer(pipe: Connection) -> TwoAnswers | None:
    try:
        answer = pipe.recv()
    except (EOFError, OSError):
        return None
    return answer if isinstance(answer, TwoAnswers) else None


def _serve(pipe: Connection, descriptor: Descriptor, network: Network) -> None:
    """Derive what is asked until the other end closes; runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes the pipe
    engines = Engines(descriptor, network)
    with suppress(EOFError, OSError):
        while True:
            pipe.send(engines.derive(pipe.recv()))
