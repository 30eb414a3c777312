"""Where scripts stand in the vault: found by derivation, never by what a file says of them.

A derivation in the PSBT is used as a hint at most: the script derived at the claimed place
has to equal the whole output script. Everything without a good hint is looked up in one
common pass over a bounded window of both branches, so that a file can't make the search
longer than its own size and the window allow.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from custody.bitcoin.derivation import DerivedScript, ScriptDeriver
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import HARDENED, KeyOrigin
from custody.bitcoin.psbt import KeyDerivation
from custody.bitcoin.script import OutputKind, output_kind
from custody.spend.review_model import Place
from custody.vault.vault import Vault

MAX_CONTIGUOUS_INDEX = 10_000
"""Up to this last used index all indexes are searched; beyond it, this many from 0 and a window around it."""


@dataclass(frozen=True, slots=True)
class VaultScripts:
    """The vault's scripts during one review, each derived once."""

    vault: Vault
    deriver: ScriptDeriver
    derived: dict[Place, DerivedScript]
    """Every script that was asked for by place; the search does not fill it."""

    @classmethod
    def of(cls, vault: Vault) -> "VaultScripts":
        """Start with nothing derived."""
        return cls(vault, vault.deriver, {})

    def at(self, place: Place) -> DerivedScript:
        """Derive the scripts at `place`, which has a branch of the descriptor and an unhardened index."""
        script = self.derived.get(place)
        if script is None:
            script = self.deriver.at(place.branch, place.index)
            self.derived[place] = script
        return script

    def could_own(self, script_pubkey: bytes) -> bool:
        """Whether the script has the form of the vault's own scripts."""
        nested = self.vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
        return output_kind(script_pubkey) is (OutputKind.P2SH if nested else OutputKind.P2WSH)

    def claimed_place(self, script_pubkey: bytes, derivations: Sequence[KeyDerivation]) -> Place | None:
        """Return the place that most derivations claim, if the script derived there is `script_pubkey`."""
        if not derivations or not self.could_own(script_pubkey):
            return None
        claims = Counter(place for claim in derivations if (place := self._place_of(claim.origin)) is not None)
        for place, _count in claims.most_common(1):
            if self.at(place).script_pubkey == script_pubkey:
                return place
        return None

    def _place_of(self, origin: KeyOrigin) -> Place | None:
        steps = steps_below_cosigner(self.vault, origin)
        if steps is None or len(steps[1]) != 2:
            return None
        branch, index = steps[1]
        if branch not in self.vault.descriptor.branches or index >= HARDENED:
            return None
        return Place(branch, index)

    def search(self, wanted: "Wanted", *, last_used: int, depth: int) -> "Found":
        """Look for scripts and keys at the places 0 to `last_used` + `depth` of every branch."""
        scripts: dict[bytes, Place] = {}
        keys: dict[bytes, Place] = {}
        for index in _window(last_used, depth):
            if len(scripts) == len(wanted.scripts) and len(keys) == len(wanted.keys):
                break
            for branch in self.vault.descriptor.branches:
                derived = self.deriver.at(branch, index)
                if derived.script_pubkey in wanted.scripts:
                    scripts.setdefault(derived.script_pubkey, Place(int(branch), index))
                if wanted.keys and not wanted.keys.isdisjoint(derived.public_keys):
                    for key in wanted.keys.intersection(derived.public_keys):
                        keys.setdefault(key, Place(int(branch), index))
        return Found(scripts, keys)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one search pass looks for."""

    scripts: frozenset[bytes]
    """Whole output scripts."""
    keys: frozenset[bytes]
    """Public keys, 33 bytes, that stand in scripts whose owner is in doubt."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one search pass found."""

    scripts: dict[bytes, Place]
    keys: dict[bytes, Place]


def steps_below_cosigner(vault: Vault, origin: KeyOrigin) -> tuple[int, tuple[int, ...]] | None:
    """Return which cosigner an origin names, by number, and the steps below that cosigner's key.

    Fingerprint and whole path are compared; what the origin says of a key is still a claim.
    """
    for number, cosigner in enumerate(vault.cosigners):
        account = cosigner.key.origin
        if origin.fingerprint == account.fingerprint and origin.path[: len(account.path)] == account.path:
            return number, origin.path[len(account.path) :]
    return None


def _window(last_used: int, depth: int) -> Iterator[int]:
    top = min(last_used + depth, HARDENED - 1)
    if last_used <= MAX_CONTIGUOUS_INDEX:
        return iter(range(top + 1))
    return _chain(range(MAX_CONTIGUOUS_INDEX), range(max(MAX_CONTIGUOUS_INDEX, last_used - depth), top + 1))


def _chain(*ranges: Iterable[int]) -> Iterator[int]:
    for numbers in ranges:
        yield from numbers
