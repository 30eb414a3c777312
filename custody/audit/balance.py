"""A vault's balance at one block, found in more than one way; where the ways differ, each coin is named.

A way is a `Route`: the wallet's history replayed, the unspent outputs with later blocks undone, a copy of the
UTXO set, or what a journal claims. None is believed more than another: they give the same coins, or there is
no balance. Sums count every coin in a block: frozen, set aside and immature ones included.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.reconstruct import ENGINES
from custody.bitcoin.amount import Sats, sum_sats
from custody.bitcoin.block import COINBASE_MATURITY
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity, refusals


class RouteName(StrEnum):
    """The ways to a balance."""

    HISTORY = "history"
    UNSPENT = "unspent"
    DUMP = "utxo-dump"
    JOURNAL = "journal"

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return _WORDS[self]


_ONE_VIEW = (
    "that the node keeps no coin back from all of its answers alike: both ways ask the same one. A second node tells, "
    "or a copy of the UTXO set whose hash another node gives (`--utxo-dump`, `--expect-txoutset-hash`)"
)

_WORDS = {
    RouteName.HISTORY: "the history of the watch-only wallet",
    RouteName.UNSPENT: "the unspent outputs with later blocks undone",
    RouteName.DUMP: "the copy of the UTXO set",
    RouteName.JOURNAL: "the journal's claim",
}


@dataclass(frozen=True, slots=True)
class HeldCoin:
    """A coin of the vault as one route has it."""

    outpoint: OutPoint
    value: Sats
    branch: int
    index: int
    height: int
    is_coinbase: bool

    def is_mature(self, height: int) -> bool:
        """Whether the block after `height` may spend it."""
        return not self.is_coinbase or height - self.height + 1 >= COINBASE_MATURITY


@dataclass(frozen=True, slots=True)
class Route:
    """The vault's coins at the block, by one way."""

    name: RouteName
    coins: tuple[HeldCoin, ...]

    @property
    def total(self) -> Sats:
        """Sum of the coins."""
        return sum_sats(coin.value for coin in self.coins)

    def to_json(self) -> dict[str, JsonValue]:
        """Return name, sum and number of coins."""
        return {"name": str(self.name), "total_sats": self.total, "coins": len(self.coins)}


@dataclass(frozen=True, slots=True)
class Window:
    """How many scripts of each branch were looked for, from index 0 on."""

    receive: int
    change: int

    def to_json(self) -> dict[str, JsonValue]:
        """Return both counts."""
        return {"receive": self.receive, "change": self.change}


@dataclass(frozen=True, slots=True)
class BlockBalance:
    """What the vault held right after one block, by every route that was asked."""

    height: int | None
    """None where only a copy of the UTXO set was given, which doesn't say it."""
    block_hash: str
    median_time_past: int
    """Unix seconds, 0 where nothing says it."""
    routes: tuple[Route, ...]
    """At least one."""
    window: Window
    unconfirmed: Sats | None
    """In no block yet and in no sum; None at a block that is not the newest."""
    frozen: frozenset[OutPoint] | None
    """What a journal says is frozen at its end: a claim. None without a journal."""
    incomplete: tuple[str, ...]
    """Why this is not the whole truth, in words."""
    findings: tuple[Finding, ...]
    is_one_view: bool = False
    """Whether all ways ask one node, so that nothing else would show what it hides from each of them."""

    @property
    def not_shown(self) -> tuple[str, ...]:
        """What no balance of this kind shows, in words: it stands beside every answer."""
        window = f"{self.window.receive} receive and {self.window.change} change"
        beyond = f"that no coin lies beyond the first {window} scripts: search further with --window"
        return (_ONE_VIEW, beyond) if self.is_one_view else (beyond,)

    @property
    def coins(self) -> tuple[HeldCoin, ...]:
        """The coins, as the first route has them; the same as every other's where nothing refuses."""
        return self.routes[0].coins

    @property
    def total(self) -> Sats | None:
        """The balance; None where the routes differ."""
        return self.routes[0].total if self.is_agreed else None

    @property
    def is_agreed(self) -> bool:
        """Whether nothing contradicts anything."""
        return not refusals(self.findings)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing."""
        return not self.incomplete

    @property
    def immature(self) -> Sats | None:
        """Sum of what the next block can't spend yet, part of the total."""
        if self.height is None:
            return None
        return sum_sats(coin.value for coin in self.coins if not coin.is_mature(self.height))

    @property
    def frozen_sum(self) -> Sats | None:
        """Sum of what a journal says is frozen, part of the total."""
        if self.frozen is None:
            return None
        return sum_sats(coin.value for coin in self.coins if coin.outpoint in self.frozen)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the answer; `coins` and `addresses` are counts."""
        return {
            "height": self.height,
            "block_hash": self.block_hash,
            "complete": self.is_complete,
            "incomplete": list(self.incomplete),
            "total_sats": self.total,
            "coins": len(self.coins),
            "addresses": len({(coin.branch, coin.index) for coin in self.coins}),
            "immature_sats": self.immature,
            "frozen_sats": self.frozen_sum,
            "unconfirmed_sats": self.unconfirmed,
            "routes": [route.to_json() for route in self.routes],
            "window": self.window.to_json(),
            "engines": list(ENGINES),
            "not_shown": list(self.not_shown),
            "findings": [finding.to_json() for finding in self.findings],
        }


def replayed(made: Iterable[HeldCoin], spent: Iterable[OutPoint]) -> tuple[HeldCoin, ...]:
    """Return the coins that were made and not spent, in the order of their heights and outpoints."""
    gone = set(spent)
    return in_order(coin for coin in made if coin.outpoint not in gone)


def in_order(coins: Iterable[HeldCoin]) -> tuple[HeldCoin, ...]:
    """Return the coins in the order of their heights and outpoints."""
    return tuple(sorted(coins, key=lambda coin: (coin.height, coin.outpoint.txid, coin.outpoint.vout)))


def differing(routes: Sequence[Route]) -> tuple[OutPoint, ...]:
    """Return the coins that the routes don't have alike, in order."""
    first, *others = [set(route.coins) for route in routes]
    unlike = set[HeldCoin]().union(*(first ^ other for other in others))
    return tuple({coin.outpoint: None for coin in in_order(unlike)})


def differences(routes: Sequence[Route], unspent_today: Mapping[OutPoint, bool]) -> Iterator[Finding]:
    """Yield for each coin that the routes don't have alike in which it is and in which it isn't.

    Any of them may hide it or invent it. `unspent_today` is what the view of the chain says when it is asked for
    the coin alone, where it was asked: a third word, which tells who lies where the block is the newest one.
    """
    maps: dict[RouteName, Mapping[OutPoint, HeldCoin]] = {
        route.name: {coin.outpoint: coin for coin in route.coins} for route in routes
    }
    for outpoint in differing(routes):
        having = {name: coins[outpoint] for name, coins in maps.items() if outpoint in coins}
        lacking = [name for name in maps if name not in having]
        shown = next(iter(having.values()))
        if lacking:
            how = f"it is in {_listed(having)}, and not in {_listed(lacking)}"
        else:
            how = "; ".join(f"in {name.words} {_described(coin)}" for name, coin in having.items())
        if outpoint in unspent_today:
            said = "is unspent" if unspent_today[outpoint] else "is spent, or was never there"
            how += f"; asked for it alone, this view of the chain says that it {said} today"
        yield Finding(
            Code.BALANCE_DIFFERS,
            Severity.REFUSE,
            str(outpoint),
            f"coin `{outpoint}` of {shown.value} sat at {Branch(shown.branch).label} {shown.index}: {how}",
            "Believe none of them; ask another node about this coin, and whoever runs this one how it came about.",
        )


def _listed(names: Iterable[RouteName]) -> str:
    return " and ".join(name.words for name in names)


def _described(coin: HeldCoin) -> str:
    kind = ", a miner's reward" if coin.is_coinbase else ""
    return f"{coin.value} sat at {Branch(coin.branch).label} {coin.index} in block {coin.height}{kind}"
