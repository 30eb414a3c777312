"""The first engine: from a descriptor to scripts and addresses.

Public derivation (BIP 32) of one key per cosigner, sorted by their bytes (BIP 67), put in
a multisig script (BIP 383) and its wrapping (BIP 141, BIP 16). What was derived is kept within bounds: it
follows from the descriptor alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.address import address_of
from custody.bitcoin.curve import PublicKey
from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import check_unhardened, child_tweak
from custody.bitcoin.network import Network
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script
from custody.codes import Code
from custody.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class DerivedScript:
    """The scripts of one address of the vault, derived from the descriptor alone."""

    branch: int
    index: int
    script_pubkey: bytes
    witness_script: bytes
    redeem_script: bytes | None
    """The script that P2SH commits to, or None where nothing is wrapped in P2SH."""
    public_keys: tuple[bytes, ...]
    """In the order of the script."""
    key_by_cosigner: tuple[bytes, ...]
    """In the order of the descriptor's keys."""


_KEPT = 6_000
"""Scripts that one deriver keeps: a command asks for the same window several times, and each costs 0.3 ms."""


_INDEXED = 200_000
"""Scripts that one deriver knows the places of, some 30 MB: a stranger's script is looked for again and again."""


class ScriptDeriver:
    """Derives a descriptor's scripts; made once per descriptor and used for many addresses."""

    __slots__ = ("_branch_keys", "_derived", "_places", "_reach", "descriptor")

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self._branch_keys: dict[int, tuple[tuple[PublicKey, bytes], ...]] = {}
        self._derived: dict[tuple[int, int], DerivedScript] = {}
        self._places: dict[bytes, tuple[int, int]] = {}
        self._reach: dict[int, int] = {}
        """How many indexes of each branch, from 0 on, are in `_places`."""

    def at(self, branch: int, index: int) -> DerivedScript:
        """Derive the scripts at `branch`/`index`; the first few thousand are kept for the next question.

        Raises:
            InvalidInput: INDEX_OUT_OF_RANGE for an index outside 0 to 2**31 - 1 or a branch
                that the descriptor does not cover; HARDENED_PUBLIC_DERIVATION above that.
        Source: BIP 32, BIP 67, BIP 383.
        """
        known = self._derived.get((branch, index))
        if known is not None:
            return known
        derived = self._derive(branch, index)
        if len(self._derived) < _KEPT:
            self._derived[branch, index] = derived
        return derived

    def find(self, script_pubkeys: set[bytes], counts: Mapping[int, int]) -> dict[bytes, tuple[int, int]]:
        """Find scripts as `find_script` does; what was derived for one question is known at the next."""
        found = {
            script: place
            for script in script_pubkeys
            if (place := self._places.get(script)) is not None and place[1] < counts.get(place[0], 0)
        }
        for branch, count in counts.items():
            for index in range(self._reach.get(branch, 0), count):
                if len(found) == len(script_pubkeys):
                    return found
                script_pubkey = self.at(branch, index).script_pubkey
                if script_pubkey in script_pubkeys:
                    found.setdefault(script_pubkey, (int(branch), index))
                if index == self._reach.get(branch, 0) and len(self._places) < _INDEXED:
                    self._places[script_pubkey] = (int(branch), index)
                    self._reach[branch] = index + 1
        return found

    def _derive(self, branch: int, index: int) -> DerivedScript:
        check_unhardened(index)
        keys = tuple(
            point.tweak_add(child_tweak(chain_code, point.serialized, index)[0])
            for point, chain_code in self._keys_of(branch)
        )
        ordered = tuple(sorted(keys))
        witness_script = multisig_script(self.descriptor.threshold, ordered)
        script_pubkey, redeem_script = p2wsh_script(witness_script), None
        if self.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI:
            redeem_script = script_pubkey
            script_pubkey = p2sh_script(redeem_script)
        return DerivedScript(int(branch), index, script_pubkey, witness_script, redeem_script, ordered, keys)

    def address_at(self, branch: int, index: int, network: Network) -> str:
        """Derive the address at `branch`/`index`; as `at`."""
        address = address_of(self.at(branch, index).script_pubkey, network)
        if address is None:
            raise TypeError("a script that was just built has no address")
        return address

    def _keys_of(self, branch: int) -> tuple[tuple[PublicKey, bytes], ...]:
        keys = self._branch_keys.get(branch)
        if keys is None:
            if branch not in self.descriptor.branches:
                raise InvalidInput(
                    Code.INDEX_OUT_OF_RANGE,
                    f"the descriptor does not cover branch {int(branch)}",
                    advice="Use a branch that the descriptor names.",
                )
            children = [expression.key.child(int(branch)) for expression in self.descriptor.keys]
            keys = tuple((PublicKey(child.public_key), child.chain_code) for child in children)
            self._branch_keys[branch] = keys
        return keys


def find_script(
    deriver: ScriptDeriver, script_pubkeys: set[bytes], *, counts: Mapping[int, int]
) -> dict[bytes, tuple[int, int]]:
    """Return branch and index of each of `script_pubkeys` that the vault owns.

    `counts` says how many indexes, from 0 on, are searched on each branch. Whole scripts
    are compared. The search ends early once all are found.
    """
    return deriver.find(script_pubkeys, counts)
