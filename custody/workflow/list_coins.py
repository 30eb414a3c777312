"""The coins as the last observation has them, with the verdict on how complete it is."""

from dataclasses import dataclass

from custody.audit.chain_view import Balance, balance, coins_of
from custody.bitcoin.address import address_of
from custody.errors import JsonValue
from custody.spend.utxo import Coin
from custody.workflow.office import Office

NEVER_SYNCED = "the chain was never synced: run `custody coins sync`"


@dataclass(frozen=True, slots=True)
class CoinList:
    """Coins and sums at one block."""

    height: int | None
    block_hash: str | None
    incomplete: tuple[str, ...]
    balance: Balance
    coins: tuple[tuple[Coin, str], ...]
    """Each with its address."""

    @property
    def is_complete(self) -> bool:
        """Whether the sums may be relied on."""
        return not self.incomplete

    def to_json(self) -> dict[str, JsonValue]:
        """Return the keys of the design, section 6, and why a coin is held back."""
        return {
            "height": self.height,
            "block_hash": self.block_hash,
            "complete": self.is_complete,
            "incomplete": [*self.incomplete],
            "total_sats": self.balance.total,
            "spendable_sats": self.balance.spendable,
            "unconfirmed_sats": self.balance.unconfirmed,
            "coins": [self._coin_json(coin, address) for coin, address in self.coins],
        }

    def _coin_json(self, coin: Coin, address: str) -> dict[str, JsonValue]:
        height = self.height or 0
        return {
            "txid": coin.outpoint.txid,
            "vout": coin.outpoint.vout,
            "value_sats": coin.value,
            "address": address,
            "branch": "receive" if coin.branch == 0 else "change",
            "index": coin.index,
            "confirmations": coin.confirmations(height),
            "frozen": coin.is_frozen,
            "label": coin.label,
            "coinbase": coin.is_coinbase,
            "set_aside": coin.is_set_aside,
            "reserved_by": [*coin.reserved_by],
            "held_back": [str(reason) for reason in coin.hold_reasons(height)],
        }


def list_coins(office: Office) -> CoinList:
    """Return the coins, each one's script derived again; nothing is asked of the chain."""
    state = office.state
    rows = tuple(
        (coin, address_of(coin.script_pubkey, office.vault.network) or coin.script_pubkey.hex())
        for coin in coins_of(state, office.vault)
    )
    incomplete = state.incomplete if state.tip is not None else (NEVER_SYNCED,)
    return CoinList(
        height=None if state.tip is None else state.tip.height,
        block_hash=None if state.tip is None else state.tip.block_hash,
        incomplete=incomplete,
        balance=balance(state),
        coins=rows,
    )
