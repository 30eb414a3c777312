"""Coin selection: which coins pay, what fee, what comes back. Deterministic for equal inputs.

First a changeless match by branch and bound, else the candidate that wastes least among
three deterministic ones. Every fee is exact: it counts the largest signatures that any
device can make. Coins that are held back (`utxo.py`) are never taken unless named, and an
answer of "too few" says what is held back and why.

There is no randomness, so a payer of our coins who knows all of them can predict the
choice; a reserve whose addresses are public by nature loses nothing by it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from custody.bitcoin.amount import FeeRate, Sats, sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.script import dust_threshold
from custody.bitcoin.size import worst_case_vsize
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.spend.branch_and_bound import find_changeless
from custody.spend.utxo import CONFIRMED_DEPTH, Coin, HoldReason, outpoint_order, total

LONG_TERM_FEE_RATE = FeeRate(10_000)
"""What spending a coin costs on a quiet day: Bitcoin Core's -consolidatefeerate."""

GIVE_AWAY_LIMIT = Sats(10_000)
"""A changeless match may give at most this much more to the miners than the fee asked for."""

MAX_STANDARD_VSIZE = 100_000
"""Virtual bytes above which nodes relay no transaction (Bitcoin Core, MAX_STANDARD_TX_WEIGHT)."""

_NO_FEE = Sats(0)
_NO_RATE = FeeRate(0)


@dataclass(frozen=True, slots=True)
class SpendSize:
    """What the size of a transaction follows from, besides the number of its inputs."""

    threshold: int
    key_count: int
    script_type: ScriptType
    output_scripts: tuple[bytes, ...]
    """Without change."""
    change_script: bytes
    _known: dict[tuple[int, bool], int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def vsize(self, input_count: int, *, with_change: bool) -> int:
        """Return the worst-case signed virtual size."""
        key = (input_count, with_change)
        if key not in self._known:
            scripts = (*self.output_scripts, self.change_script) if with_change else self.output_scripts
            self._known[key] = worst_case_vsize(
                input_count,
                scripts,
                threshold=self.threshold,
                key_count=self.key_count,
                script_type=self.script_type,
            )
        return self._known[key]

    @property
    def input_vsize(self) -> int:
        """Virtual bytes that one more input adds, at most."""
        return self.vsize(2, with_change=True) - self.vsize(1, with_change=True) + 1


@dataclass(frozen=True, slots=True)
class FeeTarget:
    """The fee that a transaction of a given size must pay, at least."""

    rate: FeeRate
    replaced_fee: Sats = _NO_FEE
    """Fees of everything that is evicted (BIP 125, rule 3)."""
    incremental: FeeRate = _NO_RATE
    """Rate paid for the replacement's own relay on top of `replaced_fee` (BIP 125, rule 4)."""
    package_vsize: int = 0
    """Size of unconfirmed ancestors that this transaction pays for."""
    package_fee: Sats = _NO_FEE
    """What those ancestors pay already."""

    def fee_for(self, vsize: int) -> Sats:
        """Return the fee for `vsize` virtual bytes, rounded up."""
        asked = self.rate.fee_for(vsize)
        package = self.rate.fee_for(vsize + self.package_vsize) - self.package_fee
        replacement = self.replaced_fee + self.incremental.fee_for(vsize)
        return sats(max(asked, package, replacement))


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """What is to be paid, and which coins may be taken for it."""

    payment: Sats
    """Sum of the outputs with a fixed value; of a sweep, all but what receives the rest."""
    size: SpendSize
    fee: FeeTarget
    tip_height: int
    depth: int = CONFIRMED_DEPTH
    named: tuple[OutPoint, ...] = ()
    """Exactly these coins, all of them; empty leaves the choice to us."""
    required: tuple[OutPoint, ...] = ()
    """These in any case, further ones as needed."""
    replaced: frozenset[str] = frozenset()
    """Proposal ids and txids whose claim on coins is given up."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Coins that were left alone for one reason."""

    reason: HoldReason
    count: int
    sum: Sats

    def to_json(self) -> dict[str, JsonValue]:
        """Return the row as error details and answers show it."""
        return {"reason": str(self.reason), "coins": self.count, "sum_sats": self.sum}


@dataclass(frozen=True, slots=True)
class Selection:
    """The coins to spend, in the order of their outpoints, and what follows from them."""

    coins: tuple[Coin, ...]
    fee: Sats
    change: Sats
    """0 where nothing comes back."""
    vsize: int
    """Worst case, signed."""
    method: str
    held_back: tuple[HeldBack, ...]


def select_coins(coins: Iterable[Coin], request: SelectionRequest) -> Selection:
    """Choose coins for `request.payment` and its fee.

    Raises:
        Conflict: INSUFFICIENT_FUNDS, or the COIN_* code of a named coin that can't be taken.
    """
    chooser = _Chooser(tuple(coins), request)
    if request.named:
        return chooser.demand(chooser.evaluate(chooser.fixed, "named"))
    enough = chooser.evaluate(chooser.fixed, "required") if chooser.fixed else None
    if enough is not None:
        return enough
    changeless = chooser.changeless()
    if changeless is not None:
        return changeless
    candidates = [chooser.smallest_sufficient(), chooser.oldest_first(), chooser.largest_first()]
    found = [candidate for candidate in candidates if candidate is not None]
    # `min` keeps the first of equals, so the order above breaks ties.
    return chooser.demand(min(found, key=lambda one: (chooser.waste(one), len(one.coins)), default=None))


def sweep_coins(coins: Iterable[Coin], request: SelectionRequest) -> Selection:
    """Take every coin that may be taken (or exactly the named ones); nothing comes back.

    The last output's value is not in `request.payment`: it is what coins, payment and fee leave.
    Coins that cost more than they bring stay behind unless named.

    Raises:
        Conflict: INSUFFICIENT_FUNDS when nothing above dust is left, or they don't fit into one transaction.
    """
    chooser = _Chooser(tuple(coins), request)
    taken = chooser.fixed if request.named else (*chooser.fixed, *chooser.free)
    if chooser.fits(len(taken)):
        fee = chooser.fee(len(taken), with_change=False)
        rest = total(taken) - request.payment - fee
        if taken and rest >= dust_threshold(request.size.output_scripts[-1]):
            return chooser.selection(taken, fee, Sats(0), "sweep")
    raise chooser.insufficient(len(taken))


class _Chooser:
    """The candidates for one request, each built from the same sorted coins."""

    def __init__(self, coins: tuple[Coin, ...], request: SelectionRequest) -> None:
        self._request = request
        by_outpoint = {coin.outpoint: coin for coin in coins}
        wanted = dict.fromkeys((*request.named, *request.required))
        self.fixed = tuple(self._named(by_outpoint, outpoint) for outpoint in wanted)
        self.held: dict[HoldReason, list[Coin]] = {}
        self.free: tuple[Coin, ...] = ()
        others = [] if request.named else [coin for coin in coins if coin.outpoint not in wanted]
        cost = request.fee.rate.fee_for(request.size.input_vsize)
        free = [coin for coin in sorted(others, key=outpoint_order) if self._is_free(coin, cost)]
        self.free = tuple(sorted(free, key=lambda coin: (-coin.value, outpoint_order(coin))))

    def _named(self, by_outpoint: dict[OutPoint, Coin], outpoint: OutPoint) -> Coin:
        coin = by_outpoint.get(outpoint)
        if coin is None:
            raise Conflict(
                Code.COIN_UNKNOWN,
                f"coin `{outpoint}` is not among the vault's unspent coins",
                advice="Run `coins sync`, then `coins list`, and copy the outpoint from there.",
            )
        request = self._request
        reasons = coin.refusals_by_name(request.tip_height, depth=request.depth, replaced=request.replaced)
        if reasons:
            raise Conflict(
                reasons[0].code,
                f"coin `{outpoint}` can't be taken: {', '.join(reasons)}",
                advice=_ADVICE[reasons[0]],
                details={"outpoint": str(outpoint), "reserved_by": list(coin.reserved_by)},
            )
        return coin

    def _is_free(self, coin: Coin, cost: int) -> bool:
        request = self._request
        reasons = coin.hold_reasons(request.tip_height, depth=request.depth, replaced=request.replaced)
        if not reasons and coin.value <= cost:
            reasons = (HoldReason.UNECONOMIC,)
        if reasons:
            self.held.setdefault(reasons[0], []).append(coin)
        return not reasons

    def fits(self, count: int) -> bool:
        """Say whether a transaction with so many inputs is relayed."""
        return count > 0 and self._request.size.vsize(count, with_change=True) <= MAX_STANDARD_VSIZE

    def fee(self, count: int, *, with_change: bool) -> Sats:
        """Return the fee of a transaction with `count` inputs."""
        return self._request.fee.fee_for(self._request.size.vsize(count, with_change=with_change))

    def selection(self, coins: Sequence[Coin], fee: int, change: int, method: str) -> Selection:
        """Return the answer with these coins."""
        vsize = self._request.size.vsize(len(coins), with_change=change > 0)
        ordered = tuple(sorted(coins, key=outpoint_order))
        return Selection(ordered, sats(fee), sats(change), vsize, method, self.held_back())

    def evaluate(self, coins: Sequence[Coin], method: str) -> Selection | None:
        """Return what these coins give: change where it is above dust, else the rest goes to the fee."""
        request, count = self._request, len(coins)
        if not self.fits(count):
            return None
        left = total(coins) - request.payment
        change = left - self.fee(count, with_change=True)
        if change >= dust_threshold(request.size.change_script):
            return self.selection(coins, left - change, change, method)
        # INVARIANT: less than one change output and its dust limit are given away here.
        if request.size.output_scripts and left >= self.fee(count, with_change=False):
            return self.selection(coins, left, 0, method)
        return None

    def changeless(self) -> Selection | None:
        """Return a match without change, found by branch and bound."""
        request, base, fixed_sum = self._request, len(self.fixed), total(self.fixed)
        if not request.size.output_scripts:
            return None

        def needed(count: int) -> int:
            return request.payment + self.fee(base + count, with_change=False) - fixed_sum

        def tolerance(count: int) -> int:
            saved = self.fee(base + count, with_change=True) - self.fee(base + count, with_change=False)
            later = LONG_TERM_FEE_RATE.fee_for(request.size.input_vsize)
            return min(saved + later, GIVE_AWAY_LIMIT)

        found = find_changeless(self.free, needed, tolerance)
        if found is None or not self.fits(base + len(found)):
            return None
        coins = (*self.fixed, *found)
        return self.selection(coins, total(coins) - request.payment, 0, "changeless")

    def largest_first(self) -> Selection | None:
        """Return the fewest coins."""
        return self._accumulate(self.free, "largest-first")

    def oldest_first(self) -> Selection | None:
        """Return the coins that rested longest."""
        by_age = sorted(self.free, key=lambda coin: (coin.height is None, coin.height or 0, outpoint_order(coin)))
        return self._accumulate(by_age, "oldest-first")

    def smallest_sufficient(self) -> Selection | None:
        """Return the smallest single coin that suffices."""
        for coin in reversed(self.free):
            found = self.evaluate((*self.fixed, coin), "smallest-sufficient")
            if found is not None:
                return found
        return None

    def _accumulate(self, ordered: Sequence[Coin], method: str) -> Selection | None:
        taken = list(self.fixed)
        # Values are summed first, sizes only once it could suffice: large vaults stay linear.
        value = total(taken)
        for coin in ordered:
            taken.append(coin)
            value = Sats(value + coin.value)
            found = self.evaluate(taken, method) if value > self._request.payment else None
            if found is not None:
                return found
        return None

    def waste(self, selection: Selection) -> int:
        """Return what the choice costs beyond a quiet day: Bitcoin Core's waste metric, never below zero an input.

        Cheap days don't reward taking more coins than needed: each input costs a signature on every device.
        """
        request = self._request
        rate = request.fee.rate.sat_kvb
        premium = max(0, rate - LONG_TERM_FEE_RATE.sat_kvb) * request.size.input_vsize * len(selection.coins) // 1000
        if selection.change:
            saved = self.fee(len(selection.coins), with_change=True) - self.fee(len(selection.coins), with_change=False)
            return premium + saved + LONG_TERM_FEE_RATE.fee_for(request.size.input_vsize)
        return premium + selection.fee - self.fee(len(selection.coins), with_change=False)

    def held_back(self) -> tuple[HeldBack, ...]:
        """Return counts and sums of the coins left alone, by the weightiest reason of each."""
        return tuple(
            HeldBack(reason, len(self.held[reason]), total(self.held[reason]))
            for reason in HoldReason
            if reason in self.held
        )

    def demand(self, selection: Selection | None) -> Selection:
        """Return the selection, or raise INSUFFICIENT_FUNDS."""
        if selection is None:
            raise self.insufficient(len(self.fixed) + len(self.free))
        return selection

    def insufficient(self, count: int) -> Conflict:
        """Return the refusal with what was needed, what is there, and what is held back and why."""
        spendable = total((*self.fixed, *self.free))
        needed = self._request.payment + self.fee(max(1, count), with_change=False)
        held = self.held_back()
        text = "; ".join(f"{row.count} {row.reason} with {row.sum} sat" for row in held) or "none"
        message = (
            f"{spendable} sat in {len(self.fixed) + len(self.free)} coins do not pay {self._request.payment} sat "
            f"and the fee in one transaction; held back: {text}"
        )
        details: dict[str, JsonValue] = {
            "needed_sats": needed,
            "spendable_sats": spendable,
            "held_back": [row.to_json() for row in held],
        }
        advice = "Wait for confirmations, pay less, or free coins: `coins list` shows each with its reason."
        return Conflict(Code.INSUFFICIENT_FUNDS, message, advice=advice, details=details)


_ADVICE = {
    HoldReason.SPENT: "Run `coins sync` and choose another coin.",
    HoldReason.FROZEN: "Lift the freeze with `coins unfreeze` if that is meant, then draft again.",
    HoldReason.RESERVED: "Name the proposal that holds it with `--replaces`, or choose another coin.",
    HoldReason.IMMATURE: "Wait until the coinbase output is 100 blocks deep.",
    HoldReason.SET_ASIDE: "Wait for its confirmation: an unannounced coin in no block is never spent.",
    HoldReason.UNCONFIRMED: "Wait for its confirmation.",
    HoldReason.UNECONOMIC: "It costs more than it brings.",
}
