"""The machine's own clock and randomness, handed to workflows that take them as arguments."""

import secrets
import time

from custody.workflow.office import Surroundings
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.session import Session
from custody_cli.statement_options import actor_of

_POLL_S = 5


class SystemClock:
    """A `custody.ports.Clock`."""

    def now(self) -> int:
        """Return Unix seconds."""
        return int(time.time())


class SystemNonces:
    """A `custody.ports.NonceSource`: nonces, journal ids and request ids."""

    def nonce(self) -> str:
        """Return 32 lower-case hex characters."""
        return secrets.token_hex(16)


def surroundings_of(session: Session) -> Surroundings:
    """Return the machine's clock and randomness, who says that they act, and what is known of devices."""
    return Surroundings(SystemClock(), SystemNonces(), actor_of(session), profiles_of_workspace(workspace_of(session)))


def wait_a_while() -> None:
    """Pause between two looks at the chain."""
    time.sleep(_POLL_S)
