"""How a person gives a signature under a statement: with ssh-keygen here, or in a file made elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from custody.errors import CustodyError
from custody.people.statement import Statement
from custody.workspace.settings import load_settings
from custody_cli.loading import workspace_of
from custody_cli.options import read_input
from custody_cli.output import print_lines
from custody_cli.session import Session

MAX_SIGNATURE_FILE = 64_000

_Function = TypeVar("_Function", bound=Callable[..., object])

_OPTIONS = (
    click.option(
        "--key",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Sign now with ssh-keygen: your SSH key, or its .pub where an agent or a token holds it.",
    ),
    click.option(
        "--signature", metavar="FILE", help="A signature that `ssh-keygen -Y sign` made elsewhere; `-` is stdin."
    ),
)


def signature_options(function: _Function) -> _Function:
    """Give a command `--key` and `--signature`; it takes both as arguments of those names."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def signature_over(session: Session, statement: Statement, key: Path | None, signature: str | None) -> str:
    """Return the armored signature: read from its file, or made now after the statement was shown.

    Raises:
        click.UsageError: neither or both are given.
        DeviceUnavailable: STATEMENT_SIGNER_MISSING, STATEMENT_NOT_SIGNED.
    """
    require_one_way(key, signature)
    if signature is not None:
        return read_signature(signature)
    from custody_cli.ssh_keygen import SshKeygenSigner

    if not session.as_json:
        print_lines(statement.text.splitlines(), sys.stderr)
    signer = SshKeygenSigner(Path(str(key)), talk=session.talk)
    return signer.sign(statement.signed_bytes, namespace=statement.kind.namespace)


def require_one_way(key: Path | None, signature: str | None) -> None:
    """Demand that exactly one way to sign is named.

    Raises:
        click.UsageError: neither or both are.
    """
    if (key is None) is (signature is None):
        raise click.UsageError("name one way to sign: --key FILE now, or --signature FILE made elsewhere")


def read_signature(place: str) -> str:
    """Read a signature file; what is no ASCII text is no signature, and the parser says so."""
    return read_input(place, max_bytes=MAX_SIGNATURE_FILE).decode("ascii", errors="replace")


def actor_of(session: Session) -> str | None:
    """Return who says that they act: --as, else `officer` in this office's custody.yaml."""
    if session.actor is not None:
        return session.actor
    try:
        return load_settings(workspace_of(session).custody_yaml).officer
    except CustodyError:
        # No workspace, or settings that the command itself will refuse where it needs them.
        return None


def statement_commands(statement: Statement, file: str) -> tuple[str, ...]:
    """Return what to run by hand to sign a statement that was written to `file`."""
    return (f"ssh-keygen -Y sign -n {statement.kind.namespace} -f YOUR_KEY {file}",)
