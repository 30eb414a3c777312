"""Branch and bound: a set of coins that pays exactly, so that no change is needed.

After Murch's algorithm in Bitcoin Core (`SelectCoinsBnB`), with exact fees instead of
effective values: the fee depends on how many coins are taken, and on nothing else about
them. The search is bounded by a number of steps, never by a clock, so that equal inputs
give equal answers on every machine.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from custody.spend.utxo import Coin, outpoint_order

MAX_STEPS = 50_000
"""After so many steps the best match so far is taken; about a tenth of a second."""


def find_changeless(
    coins: Sequence[Coin], needed_for: Callable[[int], int], tolerance_for: Callable[[int], int]
) -> tuple[Coin, ...] | None:
    """Return the coins whose sum exceeds what is needed by the least, within tolerance, or None.

    `needed_for(k)` is what `k` coins must bring, payment and fee together; `tolerance_for(k)`
    what may be given away above that. Each coin must bring more than it costs.
    """
    ordered = sorted(coins, key=lambda coin: (-coin.value, outpoint_order(coin)))
    search = _Search([coin.value for coin in ordered], needed_for, tolerance_for)
    best = search.run()
    return None if best is None else tuple(ordered[place] for place in best)


class _Search:
    """Depth first, taking each coin before leaving it; values stand in descending order."""

    def __init__(
        self, values: list[int], needed_for: Callable[[int], int], tolerance_for: Callable[[int], int]
    ) -> None:
        self._values = values
        # Sum of all values from a place on: what could still be added.
        self._rest = [*reversed(list(accumulate(reversed(values)))), 0]
        self._needed_for = needed_for
        self._tolerance_for = tolerance_for
        self._taken: list[int] = []
        self._sum = 0
        self._best: tuple[int, ...] | None = None
        self._best_excess = 0

    def run(self) -> tuple[int, ...] | None:
        """Return the places of the best match."""
        place = 0
        for _step in range(MAX_STEPS):
            if self._is_dead_end(place):
                if not self._taken:
                    break
                place = self._back()
                continue
            if self._best is not None and self._best_excess == 0:
                break
            self._taken.append(place)
            self._sum += self._values[place]
            place += 1
            self._judge()
        return self._best

    def _is_dead_end(self, place: int) -> bool:
        count = len(self._taken)
        excess = self._sum - self._needed_for(count)
        if count and excess >= 0:
            return True
        # Too little even with every coin that is left, at the fee of one more coin.
        return place >= len(self._values) or self._sum + self._rest[place] < self._needed_for(count + 1)

    def _judge(self) -> None:
        count = len(self._taken)
        excess = self._sum - self._needed_for(count)
        if not 0 <= excess <= self._tolerance_for(count):
            return
        if self._best is None or (excess, count) < (self._best_excess, len(self._best)):
            self._best, self._best_excess = tuple(self._taken), excess

    def _back(self) -> int:
        """Leave the coin taken last, and every coin of the same value after it: they give the same sums."""
        place = self._taken.pop()
        value = self._values[place]
        self._sum -= value
        while place < len(self._values) and self._values[place] == value:
            place += 1
        return place
