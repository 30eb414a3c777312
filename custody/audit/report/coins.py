"""The coins at a block and what stands out among them: age, size, address, exposed keys, the cap, late inflow.

The coins are the outputs of ours in blocks up to that height which no transaction up to it spends: this uses
the outputs and the outpoints alone, none of the sums that the history's rows are made of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from custody.audit.balance_claim import claimed_route
from custody.audit.spend_facts import coin_label
from custody.audit.state import State
from custody.bitcoin.amount import SATS_PER_BTC, Sats, sum_sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.vault.vault import Vault

_AGES = (
    ("up to a day", 144),
    ("up to a week", 1_008),
    ("up to a month", 4_380),
    ("up to a year", 52_560),
    ("up to 4 years", 210_240),
)
"""Name and blocks, at most; ten minutes a block are the network's aim, and no more than that."""
_OLDER = "over 4 years"

_SIZES = (
    (SATS_PER_BTC // 1_000, "under 0.001 BTC"),
    (SATS_PER_BTC // 100, "0.001 to under 0.01"),
    (SATS_PER_BTC // 10, "0.01 to under 0.1"),
    (SATS_PER_BTC, "0.1 to under 1"),
    (10 * SATS_PER_BTC, "1 to under 10"),
    (100 * SATS_PER_BTC, "10 to under 100"),
    (1_000 * SATS_PER_BTC, "100 to under 1,000"),
)
"""Limit in satoshis, which the class stays below, and its name."""
_LARGER = "1,000 BTC and more"


@dataclass(frozen=True, slots=True)
class ReportedCoin:
    """A coin as it lay at the closing block."""

    outpoint: OutPoint
    value: Sats
    address: str
    branch: int
    index: int
    height: int
    label: str | None

    def age(self, closing: int) -> int:
        """Return how many blocks held it at the closing block, its own included."""
        return closing - self.height + 1


@dataclass(frozen=True, slots=True)
class CoinClass:
    """Coins of one age or size."""

    name: str
    count: int
    value: Sats


@dataclass(frozen=True, slots=True)
class HeldAddress:
    """What one address holds at the closing block."""

    address: str
    branch: int
    index: int
    coins: int
    value: Sats
    spent_by: str | None
    """Txid of the first transaction that spent from it, and so showed its public keys to everybody."""
    is_above_cap: bool

    @property
    def is_exposed(self) -> bool:
        """Whether its public keys stand in the chain: it was spent from and still holds coins."""
        return self.spent_by is not None


def coins_at(state: State, vault: Vault, height: int) -> tuple[ReportedCoin, ...]:
    """Return the coins at a block, oldest first; addresses are the vault's own derivation."""
    return tuple(
        ReportedCoin(
            outpoint=coin.outpoint,
            value=coin.value,
            address=vault.address_at(Branch(coin.branch), coin.index),
            branch=coin.branch,
            index=coin.index,
            height=coin.height,
            label=coin_label(state, coin.outpoint, coin.branch, coin.index),
        )
        for coin in claimed_route(state, height).coins
    )


def by_age(coins: Sequence[ReportedCoin], closing: int) -> tuple[CoinClass, ...]:
    """Return the coins in classes of age, the youngest first, empty classes included."""
    limits = [(name, blocks) for name, blocks in _AGES]
    return _classes(
        [name for name, _blocks in limits] + [_OLDER],
        ((_place(coin.age(closing) - 1, [blocks for _name, blocks in limits]), coin) for coin in coins),
    )


def by_size(coins: Sequence[ReportedCoin]) -> tuple[CoinClass, ...]:
    """Return the coins in classes of value, the smallest first, empty classes included."""
    return _classes(
        [name for _limit, name in _SIZES] + [_LARGER],
        ((_place(coin.value, [limit for limit, _name in _SIZES]), coin) for coin in coins),
    )


def by_address(state: State, coins: Sequence[ReportedCoin], closing: int, cap: int | None) -> tuple[HeldAddress, ...]:
    """Return what each address holds, the largest first; `cap` is the most that one may hold, None: no limit."""
    spenders = _first_spenders(state, closing)
    held: dict[tuple[int, int], list[ReportedCoin]] = {}
    for coin in coins:
        held.setdefault((coin.branch, coin.index), []).append(coin)
    found = []
    for place, here in held.items():
        value = sum_sats(coin.value for coin in here)
        over = cap is not None and value > cap
        found.append(HeldAddress(here[0].address, *place, len(here), value, spenders.get(place), over))
    return tuple(sorted(found, key=lambda one: (-one.value, one.branch, one.index)))


def _first_spenders(state: State, closing: int) -> dict[tuple[int, int], str]:
    """Return which transaction spent first from each place, up to a block."""
    spenders: dict[tuple[int, int], str] = {}
    in_blocks = [(seen.height, seen.txid, seen) for seen in state.transactions.values() if seen.height is not None]
    for height, txid, seen in sorted(in_blocks, key=lambda one: one[:2]):
        if height <= closing:
            for one in seen.inputs:
                spenders.setdefault((one.branch, one.index), txid)
    return spenders


def _place(value: int, limits: Sequence[int]) -> int:
    return next((number for number, limit in enumerate(limits) if value < limit), len(limits))


def _classes(names: Sequence[str], placed: Iterable[tuple[int, ReportedCoin]]) -> tuple[CoinClass, ...]:
    counts, values = [0] * len(names), [0] * len(names)
    for number, coin in placed:
        counts[number] += 1
        values[number] += coin.value
    return tuple(CoinClass(name, count, Sats(value)) for name, count, value in zip(names, counts, values, strict=True))
