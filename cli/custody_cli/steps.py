"""Run a step at the vault's desk: with the lock, at the journal's head, and again after a lost race."""

from collections.abc import Callable
from typing import TypeVar

from custody.chain.open_backend import Backend
from custody.workflow.office import Desk, decide_again, decide_again_from_the_start
from custody_cli.chain_access import opened_chain
from custody_cli.loading import workspace_of
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_Answer = TypeVar("_Answer")


def at_desk(session: Session, step: Callable[[Desk], _Answer]) -> _Answer:
    """Run a step that appends once, at its end.

    Raises:
        Conflict: JOURNAL_MOVED where another office wrote first and the answer changed, and all that the step raises.
    """
    return decide_again(workspace_of(session), surroundings_of(session), step)


def on_chain(session: Session, step: Callable[[Desk, Backend], _Answer]) -> _Answer:
    """Run a step that looks at the chain; what it records of that may be recorded again. Raises as `at_desk`."""

    def looking(desk: Desk) -> _Answer:
        with opened_chain(desk.office) as backend:
            return step(desk, backend)

    return decide_again_from_the_start(workspace_of(session), surroundings_of(session), looking)
