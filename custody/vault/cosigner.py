"""A cosigner: a name and a key expression with its origin, and nothing else.

Device, firmware, custodian and place are journal entries, so that a change of custodian
leaves every signer's vault file good. The name is for people; what counts is the key.
"""

from dataclasses import dataclass

from custody.bitcoin.keys import ExtendedKey, KeyExpression
from custody.bitcoin.network import Network
from custody.documents.names import check_name
from custody.errors import JsonValue


@dataclass(frozen=True, slots=True)
class Cosigner:
    """One of the n keys of a vault, under the name that people use for it."""

    name: str
    key: KeyExpression

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def fingerprint(self) -> bytes:
        """Master key fingerprint, four bytes, as the origin claims it."""
        return self.key.origin.fingerprint

    @property
    def where(self) -> str:
        """The place that findings about this cosigner name."""
        return f"cosigner:{self.name}"

    def to_document(self, network: Network) -> dict[str, JsonValue]:
        """Return the cosigner as it stands in a vault document."""
        return {"name": self.name, "key": self.key.to_text(network)}


def key_material(key: ExtendedKey) -> bytes:
    """Return public key and chain code: all that child keys follow from, and no metadata that could lie."""
    return key.public_key + key.chain_code
