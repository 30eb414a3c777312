"""Which of a vault's keys derive from one another without a private key.

Whoever holds an extended public key and any private key below it holds all of them: two such
cosigners are one. What is searched, from each key as the ancestor:

1. every child 0..1000, compared by public key and by chain code;
2. grandchildren i/j with i in 0..1000 and j in 0..1, and i in 0..1 and j in 0..1000, by chain code;
3. where another key's own child number is unhardened: that child at whatever number, and that
   number below every child 0..1000.

A chain code alone is enough to compare: it is 256 bits that only the derivation gives. Step 3
uses metadata that can lie, and so only widens the search, never narrows it. All 1,001 x 1,001
grandchildren would take minutes; the rest of them, and the same seed under another hardened
account, can't be seen here: only a signature per person shows that they hold separate seeds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from custody.bitcoin.curve import PublicKey
from custody.bitcoin.keys import HARDENED, ExtendedKey, child_tweak

WIDE = 1001
"""Children and, below the narrow steps, grandchildren are searched at 0 to 1,000."""
NARROW = 2
"""Grandchildren are searched with one of their two steps in 0 to 1, as receive and change are."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Key `descendant` derives from key `ancestor` by unhardened `steps`; positions in the given order."""

    ancestor: int
    descendant: int
    steps: tuple[int, ...]


def related_keys(keys: Sequence[ExtendedKey]) -> tuple[Relation, ...]:
    """Return every relation that the search finds, each pair once."""
    return _found_among(tuple(keys))


@lru_cache(maxsize=16)
def _found_among(keys: tuple[ExtendedKey, ...]) -> tuple[Relation, ...]:
    """Search, once for the same keys: a command asks more than once, and a search takes 0.1 s and more."""
    found: dict[tuple[int, int], Relation] = {}
    for ancestor in range(len(keys)):
        for relation in _relations_of(ancestor, keys):
            found.setdefault((relation.ancestor, relation.descendant), relation)
    return tuple(found.values())


def _relations_of(ancestor: int, keys: Sequence[ExtendedKey]) -> Iterator[Relation]:
    others = [(position, key) for position, key in enumerate(keys) if position != ancestor]
    by_chain_code = {key.chain_code: position for position, key in others}
    by_public_key = {key.public_key: position for position, key in others}
    claimed = {key.child_number for _, key in others if key.child_number < HARDENED}
    key = keys[ancestor]
    parent = PublicKey(key.public_key)
    for first in sorted({*range(WIDE), *claimed}):
        tweak, chain_code = child_tweak(key.chain_code, key.public_key, first)
        child = parent.tweak_add(tweak)
        match = by_chain_code.get(chain_code, by_public_key.get(child))
        if match is not None:
            yield Relation(ancestor, match, (first,))
        for second in _second_steps(first, claimed):
            match = by_chain_code.get(child_tweak(chain_code, child, second)[1])
            if match is not None:
                yield Relation(ancestor, match, (first, second))


def _second_steps(first: int, claimed: set[int]) -> set[int]:
    return {*range(WIDE if first < NARROW else NARROW), *claimed}
