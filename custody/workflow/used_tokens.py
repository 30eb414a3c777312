"""Which tokens were used for which setup, so that none is used for a second one (A76).

One small file per folder of setups, `used-tokens.yaml`: it holds a digest of each token's encryption key,
never a token. The digest is as slow to try out as the key itself. Of two commands at once one waits for the
other, so that no line is lost. A copy of the folder without this file forgets; what the list can't see is a
token that was used on another machine.
Source: BIP 129, Security: one token for one wallet creation session.
"""

import hashlib
from pathlib import Path

from custody import atomic
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.format_tag import require_format
from custody.errors import CheckFailed, CustodyError, JsonValue
from custody.spend.document import fields_of, list_of, text_of
from custody.vault.bsms_cipher import encryption_key
from custody.vault.bsms_token import Encryption, Token
from custody.workspace.lock import writer_lock

FILE_NAME = "used-tokens.yaml"
FORMAT = "custody-used-tokens/1"
_MAX_BYTES = 900_000
_TAG = b"custody-used-token/1\0"


def require_unused(place: Path, token: Token, setup_id: str) -> None:
    """Demand that `token` was never used but for this setup.

    Raises:
        CheckFailed: BSMS_TOKEN_REUSED. InvalidInput: the list can't be read.
    """
    if token.encryption is not Encryption.NONE:
        _require_unused(_read(place), token, setup_id)


def note_use(place: Path, tokens: tuple[Token, ...], setup_id: str) -> None:
    """Write down that these tokens belong to this setup; one that is listed for it already changes nothing.

    Raises:
        CheckFailed: BSMS_TOKEN_REUSED, and nothing is written.
        Conflict: WORKSPACE_LOCKED, another command writes the list, or the list can't be written.
        InvalidInput: the list can't be read.
    """
    secret = [token for token in tokens if token.encryption is not Encryption.NONE]
    if not _unlisted(_read(place), secret, setup_id):
        return
    with writer_lock(place.with_name(f".{place.name}.lock")):
        # INVARIANT: read again under the lock, so that what another command wrote meanwhile is kept, and counts.
        uses = _read(place)
        uses |= dict.fromkeys(_unlisted(uses, secret, setup_id), setup_id)
        rows: list[JsonValue] = [{"digest": digest, "setup_id": used_for} for digest, used_for in uses.items()]
        atomic.replace_file(place, strict_yaml.dump({"format": FORMAT, "tokens": rows}).encode())


def _unlisted(uses: dict[str, str], tokens: list[Token], setup_id: str) -> list[str]:
    """Return the digests of tokens that are not on the list yet; one that is there for another setup is refused."""
    for token in tokens:
        _require_unused(uses, token, setup_id)
    return [digest for digest in map(_digest, tokens) if digest not in uses]


def _require_unused(uses: dict[str, str], token: Token, setup_id: str) -> None:
    if uses.get(_digest(token), setup_id) != setup_id:
        raise CheckFailed(
            Code.BSMS_TOKEN_REUSED,
            "the token was used for another setup before",
            advice="If this is the setup that you answered before, give the same --request (or the same key) as then. "
            "Else don't use it: whoever saw the earlier setup could read or forge this one. Ask for a new one.",
        )


def _digest(token: Token) -> str:
    return hashlib.sha256(_TAG + encryption_key(token)).hexdigest()


def _read(place: Path) -> dict[str, str]:
    try:
        data = atomic.read_file(place, max_bytes=_MAX_BYTES)
    except CustodyError as error:
        if error.code is Code.FILE_NOT_FOUND:
            return {}
        raise
    document = strict_yaml.load(data)
    require_format(document, FORMAT, "the list of used tokens", advice="Restore the list from a good copy.")
    rows = list_of(_row, fields_of(document, "the list of used tokens", ("format", "tokens"))["tokens"], "`tokens`")
    return dict(rows)


def _row(value: JsonValue, what: str) -> tuple[str, str]:
    fields = fields_of(value, what, ("digest", "setup_id"))
    return text_of(fields["digest"], f"{what} digest"), text_of(fields["setup_id"], f"{what} setup_id")
