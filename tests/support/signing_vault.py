"""A regtest vault whose keys the tests hold: derives, watches and spends, for chain and journey tests.

The seeds are a byte repeated, so no private key stands in the repository. Signing is embit's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from embit import bip32, ec

from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.ports import ChainCoin, WatchedScript, WatchRequest

ORIGIN_PATH = "m/48h/1h/0h/2h"
RBF_SEQUENCE = 0xFFFFFFFD
SIGHASH_ALL = 1


class SigningVault:
    """m of n test keys. Equal arguments give an equal vault."""

    def __init__(
        self,
        *,
        threshold: int = 2,
        key_count: int = 3,
        first_seed: int = 1,
        script_type: ScriptType = ScriptType.WSH_SORTEDMULTI,
    ) -> None:
        self.network = Network.REGTEST
        self.masters = [bip32.HDKey.from_seed(bytes([first_seed + at]) * 32) for at in range(key_count)]
        keys = tuple(_key_expression(master) for master in self.masters)
        self.descriptor = Descriptor(script_type, threshold, keys, (0, 1))
        self.deriver = ScriptDeriver(self.descriptor)
        self.vault_id = f"{first_seed:02x}" * 32

    def script(self, branch: int, index: int) -> bytes:
        """Return the output script of one address."""
        return self.deriver.at(branch, index).script_pubkey

    def address(self, branch: int, index: int) -> str:
        """Return one address."""
        return self.deriver.address_at(branch, index, self.network)

    def request(self, count: int = 20, *, birth_height: int = 0) -> WatchRequest:
        """Return what a backend is asked to watch: `count` addresses of each branch."""
        scripts = tuple(
            WatchedScript(self.script(branch, index), branch, index) for branch in (0, 1) for index in range(count)
        )
        return WatchRequest(self.vault_id, self.descriptor.to_text(self.network), scripts, birth_height)

    def spend(
        self,
        coins: Sequence[ChainCoin],
        outputs: Sequence[tuple[int, bytes]],
        *,
        sequence: int = RBF_SEQUENCE,
        locktime: int = 0,
        version: int = 2,
    ) -> Transaction:
        """Return a signed transaction that spends the vault's coins, found among its first 50 addresses."""
        inputs = tuple(TxInput(coin.outpoint, b"", sequence) for coin in coins)
        paid = tuple(TxOutput(value, script) for value, script in outputs)  # type: ignore[arg-type]
        return self.sign_inputs(Transaction(version, inputs, paid, locktime), dict(enumerate(coins)))

    def sign_inputs(self, bare: Transaction, coins: Mapping[int, ChainCoin]) -> Transaction:
        """Return the transaction with the inputs of `coins`, by their numbers, signed."""
        unsigned = replace(bare, inputs=tuple(replace(one, witness=(), script_sig=b"") for one in bare.inputs))
        hasher = SegwitV0Hasher(unsigned)
        signed = tuple(
            self._unlocked(one, hasher, at, coins[at]) if at in coins else one for at, one in enumerate(unsigned.inputs)
        )
        return replace(unsigned, inputs=signed)

    def _unlocked(self, tx_input: TxInput, hasher: SegwitV0Hasher, at: int, coin: ChainCoin) -> TxInput:
        branch, index = self._place(coin.script_pubkey)
        derived = self.deriver.at(branch, index)
        digest = hasher.digest(at, derived.witness_script, coin.value, SIGHASH_ALL)
        by_key = {}
        for master in self.masters:
            child = master.derive(f"{ORIGIN_PATH}/{branch}/{index}")
            by_key[child.key.get_public_key().sec()] = ec.PrivateKey(child.key.secret).sign(digest).serialize()
        signatures = [by_key[key] + bytes([SIGHASH_ALL]) for key in derived.public_keys][: self.descriptor.threshold]
        redeem = derived.redeem_script
        script_sig = b"" if redeem is None else bytes([len(redeem)]) + redeem
        return replace(tx_input, witness=(b"", *signatures, derived.witness_script), script_sig=script_sig)

    def _place(self, script_pubkey: bytes) -> tuple[int, int]:
        for branch in (0, 1):
            for index in range(50):
                if self.script(branch, index) == script_pubkey:
                    return branch, index
        raise LookupError(script_pubkey.hex())


def coin_of(transaction: Transaction, vout: int, *, height: int | None = None) -> ChainCoin:
    """Return an output as a coin, such as the change of an unconfirmed transaction."""
    output = transaction.outputs[vout]
    return ChainCoin(OutPoint(transaction.txid, vout), output.value, output.script_pubkey, height, False)


def _key_expression(master: bip32.HDKey) -> KeyExpression:
    account = master.derive(ORIGIN_PATH).to_public().to_string(bytes.fromhex("043587cf"))
    fingerprint = master.my_fingerprint.hex()
    return KeyExpression.parse(f"[{fingerprint}{ORIGIN_PATH[1:]}]{account}", Network.REGTEST)
