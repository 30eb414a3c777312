"""Run a function as somebody who may read but not write, also where the tests run as root."""

import os
from collections.abc import Callable

_NOBODY = 65_534


def as_nobody(work: Callable[[], str]) -> str:
    """Return what `work` answers in a child process without root's rights."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            answer = work()
        except BaseException as error:  # noqa: BLE001 (the parent asserts on it)
            answer = f"{type(error).__name__}: {error}"
        os.write(write_end, answer.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return answer
