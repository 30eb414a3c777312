"""What the commands of a BSMS setup are given: tokens, requests and keys, from files, stdin or a silent prompt."""

import getpass
import sys
from pathlib import Path

import click

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput, UsageError
from custody.vault.bsms_token import Encryption, Token
from custody.vault.formats import cosigner_key
from custody.workflow import setup_terms
from custody.workflow.setup_terms import SetupRequest, read_request
from custody.workflow.used_tokens import FILE_NAME
from custody_cli.options import STDIO, read_input

SCRIPTS = {"wsh": ScriptType.WSH_SORTEDMULTI, "sh-wsh": ScriptType.SH_WSH_SORTEDMULTI}
_MAX_TOKEN_BYTES = 200

token_file_option = click.option(
    "--token-file",
    metavar="FILE",
    help="The token, in hex or decimal; `-` is stdin, or a prompt without echo on a terminal.",
)
request_option = click.option(
    "--request", "request_file", metavar="FILE", help="The coordinator's request to you, against which all is checked."
)
used_tokens_option = click.option(
    "--used-tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The list of used tokens.  [default: {FILE_NAME} in the same folder]",
)


def read_token(place: str) -> Token:
    """Return the token of a file, of stdin or of a prompt; no option takes one, so no shell keeps it.

    Raises:
        InvalidInput: BSMS_TOKEN_INVALID, and what files are refused for. UsageError: a token instead of a file.
    """
    if place == STDIO and sys.stdin is not None and sys.stdin.isatty():
        return Token.from_text(getpass.getpass("token: "))
    if place != STDIO and _is_token(place) and not Path(place).exists():
        # INVARIANT: a message about a missing file would repeat the token.
        raise UsageError(
            Code.USAGE,
            "--token-file was given a token itself, which stands in the shell's history now",
            advice="Put the token into a file, or give `-` and type it; ask the coordinator for a new setup if others "
            "can read that history.",
        )
    return Token.from_text(read_input(place, max_bytes=_MAX_TOKEN_BYTES).decode("ascii", errors="replace"))


def _is_token(text: str) -> bool:
    try:
        return Token.from_text(text).encryption is not Encryption.NONE
    except InvalidInput:
        return False


def read_request_file(place: str) -> SetupRequest:
    """Return the request in a file."""
    return read_request(read_input(place, max_bytes=setup_terms.MAX_BYTES))


def read_key_or_file(given: str, script_type: ScriptType, network: Network) -> KeyExpression:
    """Return a cosigner's key: the text `[fingerprint/path]xpub`, or a file as a device exports it."""
    if given.startswith("["):
        return KeyExpression.parse_converting_slip132(given, network)[0]
    return cosigner_key.parse(read_input(given, max_bytes=cosigner_key.MAX_BYTES), script_type, network)[0]


def used_tokens_beside(given: Path | None, written: Path) -> Path:
    """Return the list of used tokens: the one that was named, else the one beside what is being written."""
    return given if given is not None else written.absolute().parent / FILE_NAME
