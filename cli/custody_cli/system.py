"""The machine's own clock and randomness, handed to workflows that take them as arguments."""

import secrets
import time


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
