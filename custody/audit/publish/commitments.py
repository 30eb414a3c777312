"""Commitments to addresses: a public page that hides which addresses are the reserve's, `custody-page-salts/1`.

A commitment is the SHA-256 of five lines: a title, the network, the address, its amount in satoshis and a
salt of 32 random bytes in hex, each with a line feed. The page shows the commitments, sorted. The salts stay
with the custodian in one private file; whoever is told one address, its amount and its salt checks that one
with `printf` and `sha256sum`, and learns nothing about any other. Without the salt a commitment can't be
tried against the addresses of the chain.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import Conflict, JsonValue
from custody.spend.document import fields_of, hash_of, list_of, malformed, sats_of, text_of

SALTS_FORMAT = "custody-page-salts/1"
COMMITMENT_TITLE = "custody-commitment/1"
MAX_BYTES = 16_000_000

_ADDRESS = re.compile(r"[0-9A-Za-z]{14,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SaltedAddress:
    """An address, its amount, and the salt that hides both."""

    address: str
    value: Sats
    salt: str
    """32 random bytes, hex."""

    def __post_init__(self) -> None:
        hash_of(self.salt, "salt")
        if _ADDRESS.fullmatch(self.address) is None:
            raise malformed("an address is none")

    def preimage(self, network: Network) -> bytes:
        """Return the five lines that are hashed."""
        lines = (COMMITMENT_TITLE, str(network), self.address, str(self.value), self.salt)
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    def commitment(self, network: Network) -> str:
        """Return the commitment, as lower-case hex."""
        return hashlib.sha256(self.preimage(network)).hexdigest()


@dataclass(frozen=True, slots=True)
class Salts:
    """The private file behind a page of commitments."""

    network: Network
    salted: tuple[SaltedAddress, ...]

    def commitments(self) -> tuple[str, ...]:
        """Return every commitment, sorted."""
        return tuple(sorted(one.commitment(self.network) for one in self.salted))

    def to_bytes(self) -> bytes:
        """Return the file: the canonical document and a line feed. Each commitment stands beside its address."""
        addresses: list[JsonValue] = [
            {
                "address": one.address,
                "value_sats": one.value,
                "salt": one.salt,
                "commitment": one.commitment(self.network),
            }
            for one in self.salted
        ]
        return canonical({"format": SALTS_FORMAT, "network": str(self.network), "addresses": addresses}) + b"\n"

    def require_same(self, network: Network, amounts: Mapping[str, Sats]) -> None:
        """Demand that the file holds exactly these addresses with these amounts.

        Raises:
            Conflict: PAGE_SALTS_DIFFER.
        """
        held = {one.address: one.value for one in self.salted}
        if network is not self.network or held != dict(amounts):
            raise Conflict(
                Code.PAGE_SALTS_DIFFER,
                "the file of salts belongs to other addresses or amounts than the statements'",
                advice="Name a new file: a salt that was used for one amount must not serve for another.",
            )


def draw_salts(network: Network, amounts: Mapping[str, Sats], fresh: Callable[[], str]) -> Salts:
    """Give each address a salt of its own; `fresh` returns 32 new random bytes in hex at each call."""
    return Salts(network, tuple(SaltedAddress(address, amounts[address], fresh()) for address in sorted(amounts)))


def parse_salts(data: bytes) -> Salts:
    """Read a file of salts, strictly; each commitment in it is computed again.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, UNKNOWN_FORMAT, FILE_TOO_LARGE.
        UpgradeNeeded: another version of the format.
    """
    if not data.endswith(b"\n"):
        raise malformed("the file of salts does not end with a line feed")
    document = parse_canonical(data[:-1], max_bytes=MAX_BYTES)
    require_format(document, SALTS_FORMAT, "the file of salts", advice="Give the file that `audit publish` wrote.")
    found = fields_of(document, "the file of salts", ("format", "network", "addresses"))
    network = text_of(found["network"], "network")
    if network not in {str(one) for one in Network}:
        raise malformed("network is none that this version knows")
    pairs = list_of(_salted_of, found["addresses"], "addresses")
    salts = Salts(Network(network), tuple(one for one, _ in pairs))
    if len({one.address for one in salts.salted}) != len(salts.salted):
        raise malformed("an address stands twice in the file of salts")
    if any(one.commitment(salts.network) != stated for one, stated in pairs):
        raise malformed("a commitment is not that of its address, amount and salt")
    return salts


def _salted_of(value: JsonValue, what: str) -> tuple[SaltedAddress, str]:
    found = fields_of(value, what, ("address", "value_sats", "salt", "commitment"))
    salted = SaltedAddress(
        text_of(found["address"], f"{what}.address"),
        sats_of(found["value_sats"], f"{what}.value_sats"),
        hash_of(found["salt"], f"{what}.salt"),
    )
    return salted, hash_of(found["commitment"], f"{what}.commitment")
