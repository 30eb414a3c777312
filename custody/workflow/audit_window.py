"""The scripts that an audit looks for: enough of them on each branch, whatever a file says, derived by two engines.

At least 1,000 on each branch and 200 above the last one in use (A29). A file may widen that, by what it says
was handed out; nothing in a file narrows it.
"""

from collections.abc import Iterable, Mapping

from custody.audit.balance import HeldCoin, Window, in_order
from custody.audit.reconstruct import CHUNK, Engines, Span, agreed
from custody.audit.state import State
from custody.bitcoin.descriptor import Branch
from custody.codes import Code
from custody.errors import InvalidInput
from custody.ports import ChainCoin, Progress, WatchedScript, WatchRequest
from custody.vault.vault import Vault
from custody.workflow.sync_coins import MARGIN, WINDOW

MAX_WINDOW = 1_000_000
"""A journal that claims more would keep the machine busy for hours."""

Place = tuple[Branch, int]


def placed(coins: Iterable[ChainCoin], places: Mapping[bytes, Place]) -> tuple[HeldCoin, ...]:
    """Return the coins in blocks that pay to one of the places, in order."""
    return in_order(
        HeldCoin(coin.outpoint, coin.value, *places[coin.script_pubkey], coin.height, coin.is_coinbase)
        for coin in coins
        if coin.height is not None and coin.script_pubkey in places
    )


class AuditWindow:
    """A window that only ever grows, with the place of each script."""

    def __init__(self, vault: Vault, at_least: int, journal: State | None, progress: Progress) -> None:
        """Begin with `at_least` scripts on each branch, more where a journal says that more were in use.

        Raises:
            CheckFailed: ENGINES_DISAGREE. InvalidInput: INDEX_OUT_OF_RANGE beyond a million.
        """
        self._vault = vault
        self._progress = progress
        self._engines = Engines(vault.descriptor, vault.network)
        self._checked = dict.fromkeys(map(Branch, vault.descriptor.branches), 0)
        self.places: dict[bytes, Place] = {}
        """Branch and index by output script."""
        last = (-1, -1) if journal is None else journal.highest
        self._counts = {
            branch: max(at_least, WINDOW, last[branch] + 1 + MARGIN) if branch in self._checked else 0
            for branch in Branch
        }
        self._derive()

    @property
    def counts(self) -> Window:
        """How many scripts of each branch."""
        return Window(self._counts[Branch.RECEIVE], self._counts[Branch.CHANGE])

    @property
    def scripts(self) -> frozenset[bytes]:
        """Every output script of the window."""
        return frozenset(self.places)

    def request(self, birth_height: int) -> WatchRequest:
        """Return what a backend is asked to watch, from `birth_height` on."""
        scripts = tuple(WatchedScript(script, int(branch), index) for script, (branch, index) in self.places.items())
        return WatchRequest(self._vault.vault_id, self._vault.descriptor_text, scripts, birth_height)

    def widen(self, used: Iterable[bytes]) -> bool:
        """Grow until the window ends well above each of the scripts in use; return whether it had to."""
        before = self.counts
        for script in used:
            place = self.places.get(script)
            if place is not None:
                self._counts[place[0]] = max(self._counts[place[0]], place[1] + 1 + MARGIN)
        if self.counts == before:
            return False
        self._derive()
        return True

    def _derive(self) -> None:
        if max(self._counts.values()) > MAX_WINDOW:
            raise InvalidInput(
                Code.INDEX_OUT_OF_RANGE,
                f"an index above {MAX_WINDOW - MARGIN} is said to be in use",
                advice="Ask who handed out such an address; no vault comes near that many.",
            )
        for branch, done in self._checked.items():
            for start in range(done, self._counts[branch], CHUNK):
                span = Span(branch, start, min(CHUNK, self._counts[branch] - start))
                for one in agreed(span, self._engines.derive(span), self._vault.network):
                    self.places[one.script_pubkey] = (branch, one.index)
                what = f"deriving {branch.label} scripts by two engines"
                self._progress(what, start + span.count, self._counts[branch])
            self._checked[branch] = self._counts[branch]
