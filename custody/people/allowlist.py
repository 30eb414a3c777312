"""An entry of the allowlist: a name for a destination, by its address or by its descriptor.

A descriptor stands for its receive addresses up to a bound; a payment to one of them is found by
deriving, never by a label. Nobody is paid on a change branch.
"""

from dataclasses import dataclass
from functools import lru_cache

from custody.bitcoin.address import script_of
from custody.bitcoin.derivation import ScriptDeriver, find_script
from custody.bitcoin.descriptor import Branch, Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.names import check_name
from custody.errors import InvalidInput, JsonValue
from custody.spend.document import fields_of, malformed, optional_of, text_of

_ADDRESS_BEGINNINGS = ("bc1", "tb1", "bcrt1")

SEARCHED = 1_000
"""Receive addresses of an entry's descriptor that count as covered."""


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """A named destination; exactly one of `address` and `descriptor` is set."""

    name: str
    address: str | None
    descriptor: str | None
    """Multipath with checksum, of a kind that vaults can have."""
    note: str | None
    """Free text for people."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if (self.address is None) is (self.descriptor is None):
            raise malformed(f"allowlist entry `{self.name}` has neither an address nor a descriptor, or both")

    def check(self, network: Network) -> None:
        """Demand that address or descriptor is one of `network`, and that the name can't be taken for an address.

        Raises:
            InvalidInput: ADDRESS_INVALID, NETWORK_MISMATCH, NAME_INVALID, or what descriptors are refused for.
        """
        if self.name.startswith(_ADDRESS_BEGINNINGS):
            raise InvalidInput(
                Code.NAME_INVALID, "the name begins as an address does", advice="Give the destination another name."
            )
        if self.address is not None:
            script_of(self.address, network)
        if self.descriptor is not None:
            _deriver_of(self.descriptor, network).at(Branch.RECEIVE, 0)

    def covers(self, address: str, network: Network) -> bool:
        """Tell whether a payment to `address` is one to this destination."""
        script = script_of(address, network)
        if self.address is not None:
            return script_of(self.address, network) == script
        deriver = _deriver_of(self.descriptor or "", network)
        return script in find_script(deriver, {script}, counts={Branch.RECEIVE: SEARCHED})

    def address_at(self, index: int, network: Network) -> str:
        """Return the address to pay: the entry's own, or the descriptor's receive address at `index`."""
        if self.address is not None:
            return self.address
        return _deriver_of(self.descriptor or "", network).address_at(Branch.RECEIVE, index, network)

    def to_document(self) -> dict[str, JsonValue]:
        """Return the entry as it stands in a change."""
        return {"name": self.name, "address": self.address, "descriptor": self.descriptor, "note": self.note}

    @classmethod
    def from_document(cls, value: JsonValue, what: str = "an allowlist entry") -> "AllowEntry":
        """Read an entry, strictly.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, NAME_INVALID.
        """
        found = fields_of(value, what, ("name", "address", "descriptor", "note"))
        return cls(
            name=text_of(found["name"], f"{what}.name"),
            address=optional_of(text_of, found["address"], f"{what}.address"),
            descriptor=optional_of(text_of, found["descriptor"], f"{what}.descriptor"),
            note=optional_of(text_of, found["note"], f"{what}.note"),
        )


@lru_cache(maxsize=32)
def _deriver_of(descriptor: str, network: Network) -> ScriptDeriver:
    """Return the one deriver of a descriptor: derivation depends on nothing else."""
    return ScriptDeriver(Descriptor.parse(descriptor, network))
