"""Addresses that a hurried reader takes for one another (A97).

Two different addresses look alike when their first six and last four characters agree;
an attacker can build such an address for any other. Whole strings decide; only bech32 is
compared without regard to letter case, as it allows both. The cost is linear.
"""

from collections.abc import Iterable, Mapping, Sequence

from custody.bitcoin.network import Network

HEAD = 6
TAIL = 4
_BECH32 = tuple(f"{network.hrp}1" for network in Network)


def look_alikes(addresses: Sequence[str], known: Iterable[str]) -> Mapping[str, str]:
    """Return for each of `addresses` that resembles another of them, or a known one, that other address."""
    by_ends: dict[tuple[str, str], list[str]] = {}
    for address in (*known, *addresses):
        alike = by_ends.setdefault(_ends(address), [])
        # Two are enough: every address in the list has another one beside it then.
        if len(alike) < 2 and _normal(address) not in map(_normal, alike):
            alike.append(address)
    found: dict[str, str] = {}
    for address in addresses:
        others = [entry for entry in by_ends[_ends(address)] if _normal(entry) != _normal(address)]
        if others:
            found[address] = others[0]
    return found


def _ends(address: str) -> tuple[str, str]:
    lowered = address.lower()
    return lowered[:HEAD], lowered[-TAIL:]


def _normal(address: str) -> str:
    lowered = address.lower()
    return lowered if lowered.startswith(_BECH32) else address
