"""The coins as the journal knows them, each derived again, with all that holds one back.

Reads only; no node is asked. A list from an incomplete view, or from none, says so and is
never to be taken for the balance.
"""

from dataclasses import dataclass

from custody.audit.chain_view import balance, coins_of
from custody.audit.state import SeenTip, State
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch
from custody.errors import JsonValue
from custody.spend.utxo import Coin
from custody.workflow.office import Office

NEVER_SYNCED = "the chain was never synced"


@dataclass(frozen=True, slots=True)
class ListedCoin:
    """A coin with its address and why a draft would leave it alone."""

    coin: Coin
    address: str
    confirmations: int
    label: str | None
    """The coin's own label, else its address's, else that of its transaction. Words, never a verdict."""
    spendable_by_label: bool | None
    """`spendable` of an imported label: shown, never acted on."""
    held: tuple[str, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6, and why the coin is held back."""
        coin = self.coin
        return {
            "txid": coin.outpoint.txid,
            "vout": coin.outpoint.vout,
            "value_sats": coin.value,
            "address": self.address,
            "branch": Branch(coin.branch).label,
            "index": coin.index,
            "confirmations": self.confirmations,
            "frozen": coin.is_frozen,
            "label": self.label,
            "label_spendable": self.spendable_by_label,
            "height": coin.height,
            "block_hash": coin.block_hash,
            "coinbase": coin.is_coinbase,
            "immature": "immature" in self.held,
            "set_aside": coin.is_set_aside,
            "reserved_by": list(coin.reserved_by),
            "spent_by": coin.spent_by,
            "held": list(self.held),
        }


@dataclass(frozen=True, slots=True)
class CoinList:
    """Every coin at the last observation."""

    tip: SeenTip | None
    incomplete: tuple[str, ...]
    """Why this is not the whole truth; empty when it is."""
    total: Sats
    spendable: Sats
    unconfirmed: Sats
    coins: tuple[ListedCoin, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the sums may be relied on."""
        return not self.incomplete

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6; no sum at all where nothing was ever observed."""
        tip = self.tip
        return {
            "height": None if tip is None else tip.height,
            "block_hash": None if tip is None else tip.block_hash,
            "complete": self.is_complete,
            "incomplete": list(self.incomplete),
            "total_sats": None if tip is None else self.total,
            "spendable_sats": None if tip is None else self.spendable,
            "unconfirmed_sats": None if tip is None else self.unconfirmed,
            "coins": [one.to_json() for one in self.coins],
        }


def list_coins(office: Office) -> CoinList:
    """Return the coins at the last observation, their scripts derived again.

    Raises:
        Altered: a coin that the journal claims is not the vault's.
    """
    state = office.state
    height = 0 if state.tip is None else state.tip.height
    sums = balance(state)
    return CoinList(
        tip=state.tip,
        incomplete=why_incomplete(state),
        total=sums.total,
        spendable=sums.spendable,
        unconfirmed=sums.unconfirmed,
        coins=tuple(_listed(office, coin, height) for coin in coins_of(state, office.vault)),
    )


def why_incomplete(state: State) -> tuple[str, ...]:
    """Return why the last observation is not the whole truth, in words."""
    if state.tip is None:
        return (NEVER_SYNCED,)
    return () if state.is_complete else state.incomplete


def _listed(office: Office, coin: Coin, height: int) -> ListedCoin:
    address = office.vault.address_at(Branch(coin.branch), coin.index)
    record = office.state.labels.get(("output", str(coin.outpoint)))
    return ListedCoin(
        coin=coin,
        address=address,
        confirmations=coin.confirmations(height),
        label=coin.label or _label_of_place(office.state, coin, address),
        spendable_by_label=None if record is None else record.spendable,
        held=tuple(str(reason) for reason in coin.hold_reasons(height)),
    )


def _label_of_place(state: State, coin: Coin, address: str) -> str | None:
    of_address, of_transaction = state.labels.get(("addr", address)), state.labels.get(("tx", coin.outpoint.txid))
    issued = next((one.label for one in state.issued if one.address == address), None)
    named = [record.label for record in (of_address, of_transaction) if record is not None and record.label]
    return named[0] if of_address is not None and named else issued or (named[0] if named else None)
