"""A vault's descriptor beside a statement: every claimed address derived again, by both engines.

The descriptor is the one that a statement discloses, or one that the verifier brings.
"""

from collections.abc import Iterable, Mapping

from custody.audit.reserves.statement import ClaimedAddress
from custody.bitcoin.address import script_of
from custody.bitcoin.derivation import find_script
from custody.bitcoin.descriptor import Branch, Descriptor
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion
from custody.errors import CustodyError
from custody.vault.vault import deriver_of
from custody.vault.vault_id import vault_id

SEARCHED = 10_000
"""Indexes of each branch among which an address without a place is searched."""

Place = tuple[int, int]


class KnownVault:
    """A descriptor, ready to be asked whose an address or a key is."""

    def __init__(self, descriptor: Descriptor, network: Network) -> None:
        self.descriptor = descriptor
        self.network = network
        self.vault_id = vault_id(network, descriptor)
        self._deriver = deriver_of(descriptor)
        self._second = SecondOpinion(descriptor.to_text(network), network)

    @classmethod
    def parse(cls, text: str, network: Network) -> "KnownVault":
        """Read a descriptor's canonical text.

        Raises:
            InvalidInput: whatever a descriptor is refused for.
        """
        return cls(Descriptor.parse(text, network), network)

    def places(self, claims: Iterable[ClaimedAddress], others: Iterable[str] = ()) -> dict[bytes, Place]:
        """Return the place of each script that is the vault's, by both engines; others are missing.

        A claimed place must be the right one. `others` are addresses without a claim about their place.
        """
        found: dict[bytes, Place] = {}
        unplaced: set[bytes] = set()
        for claim in claims:
            script = self._script(claim.address)
            if script is None:
                continue
            if claim.branch is None or claim.index is None:
                unplaced.add(script)
            elif self._scripts_at(int(Branch.from_label(claim.branch)), claim.index) == {script}:
                found[script] = (int(Branch.from_label(claim.branch)), claim.index)
        unplaced |= {script for address in others if (script := self._script(address)) is not None}
        unplaced -= found.keys()
        counts = dict.fromkeys(map(int, self.descriptor.branches), SEARCHED)
        searched = find_script(self._deriver, unplaced, counts=counts) if unplaced else {}
        for script, place in searched.items():
            if self._scripts_at(*place) == {script}:
                found[script] = place
        return found

    def signers(self, signed: Iterable[tuple[bytes, bytes]], places: Mapping[bytes, Place]) -> tuple[str, ...]:
        """Return the fingerprints (hex) of the keys that signed, in the descriptor's order; `signed` as of a proof."""
        positions = set()
        for script, key in signed:
            place = places.get(script)
            if place is not None:
                positions.add(self._deriver.at(*place).key_by_cosigner.index(key))
        return tuple(
            expression.origin.fingerprint.hex()
            for position, expression in enumerate(self.descriptor.keys)
            if position in positions
        )

    def _script(self, address: str) -> bytes | None:
        try:
            return script_of(address, self.network)
        except CustodyError:
            return None

    def _scripts_at(self, branch: int, index: int) -> set[bytes]:
        """Return what the two engines derive there: one script, unless they differ; none where nothing is there."""
        try:
            position = tuple(map(int, self.descriptor.branches)).index(branch)
            return {
                self._deriver.at(branch, index).script_pubkey,
                self._second.script_pubkey_at(position, index),
            }
        except (CustodyError, ValueError):
            return set()
