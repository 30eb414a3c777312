"""Deterministic vaults, fake coins, PSBTs and signatures for tests. Public test seeds only; never fund them.

    vault = TestVault()                                  # 3-of-5 wsh on regtest
    payment = vault.payment([Coin(0, 7, 1_000_000)], [Pay(script, 600_000), Change(3, 390_000)])
    payment.psbt                                         # unsigned, every field that devices ask for
    payment.scripts                                      # SpendScript per input, derived from the vault
    payment.signed(0, 2, 4)                              # Psbt with partial signatures of those cosigners
    payment.finalized(0, 1, 2)                           # final Transaction, built here, not by custody

The digests and the final witness are made without custody's own sighash and roles, so that
tests compare two implementations.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from embit.bip32 import HDKey

from custody.bitcoin.amount import Sats
from custody.bitcoin.derivation import DerivedScript, ScriptDeriver
from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyExpression, KeyOrigin
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import GlobalXpub, KeyDerivation, PartialSignature, Psbt, PsbtInput, PsbtOutput
from custody.bitcoin.signatures import SpendScript
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

RBF_SEQUENCE = 0xFFFFFFFD
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
EXTERNAL_SCRIPT = b"\x00\x14" + hashlib.sha256(b"custody external payee").digest()[:20]


def test_seed(number: int) -> bytes:
    """Return the published test seed `number`."""
    return hashlib.sha256(f"custody public test seed {number}".encode()).digest()


test_seed.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Coin:
    """A coin of the vault that a payment spends; its funding transaction is made up."""

    branch: int
    index: int
    value: int
    salt: int = 0
    """Another value gives another outpoint to the same address."""
    segwit_funding: bool = False
    """Whether the funding transaction carries a witness of its own."""


@dataclass(frozen=True)
class Pay:
    """An output to somebody else."""

    script: bytes
    value: int


@dataclass(frozen=True)
class Change:
    """An output to the vault itself, with metadata."""

    index: int
    value: int
    branch: int = 1


@cache
def _account_key(seed_number: int, path: tuple[int, ...]) -> HDKey:
    return HDKey.from_seed(test_seed(seed_number)).derive(list(path))


@cache
def _private_key(seed_number: int, path: tuple[int, ...]) -> HDKey:
    return _account_key(seed_number, path[:-2]).derive(list(path[-2:]))


@dataclass(frozen=True)
class TestVault:
    """m-of-n keys from test seeds at their BIP 48 paths."""

    __test__ = False

    threshold: int = 3
    key_count: int = 5
    script_type: ScriptType = ScriptType.WSH_SORTEDMULTI
    network: Network = Network.REGTEST
    first_seed: int = 0
    """Cosigner i uses test seed `first_seed + i`."""

    @property
    def path(self) -> tuple[int, ...]:
        """The account path that all cosigners share."""
        script_step = 2 if self.script_type is ScriptType.WSH_SORTEDMULTI else 1
        return tuple(HARDENED + step for step in (48, self.network.coin_type, 0, script_step))

    def fingerprint(self, cosigner: int) -> bytes:
        """Return the master fingerprint of cosigner number `cosigner`."""
        return bytes(_account_key(self.first_seed + cosigner, ()).my_fingerprint)

    def key_expression(self, cosigner: int) -> KeyExpression:
        """Return the cosigner's key with its origin."""
        account = _account_key(self.first_seed + cosigner, self.path)
        key = ExtendedKey(
            len(self.path), account.fingerprint, self.path[-1], account.chain_code, account.get_public_key().sec()
        )
        return KeyExpression(KeyOrigin(self.fingerprint(cosigner), self.path), key)

    @cached_property
    def descriptor(self) -> Descriptor:
        """The vault's descriptor, both branches."""
        keys = tuple(self.key_expression(number) for number in range(self.key_count))
        return Descriptor(self.script_type, self.threshold, keys, (0, 1))

    @cached_property
    def deriver(self) -> ScriptDeriver:
        """The first engine on this vault."""
        return ScriptDeriver(self.descriptor)

    @property
    def descriptor_text(self) -> str:
        """Multipath descriptor with checksum."""
        return self.descriptor.to_text(self.network)

    def at(self, branch: int, index: int) -> DerivedScript:
        """Return the vault's script at `branch`/`index`."""
        return self.deriver.at(branch, index)

    def derivations(self, branch: int, index: int) -> tuple[KeyDerivation, ...]:
        """Return all cosigners' derivation fields for one address, ascending by key."""
        derived = self.at(branch, index)
        entries = [
            KeyDerivation(key, KeyOrigin(self.fingerprint(number), (*self.path, branch, index)))
            for number, key in enumerate(derived.key_by_cosigner)
        ]
        return tuple(sorted(entries, key=lambda entry: entry.public_key))

    def global_xpubs(self) -> tuple[GlobalXpub, ...]:
        """Return one account key field per cosigner, ascending."""
        keys = [self.key_expression(number) for number in range(self.key_count)]
        xpubs = [GlobalXpub(key.key.to_bytes78(self.network), key.origin) for key in keys]
        return tuple(sorted(xpubs, key=lambda xpub: xpub.key78))

    def funding(self, coin: Coin) -> Transaction:
        """Return the made-up transaction that pays `coin` in its output 0."""
        salt = hashlib.sha256(repr(coin).encode()).digest()
        witness = (salt, b"\x02" * 33) if coin.segwit_funding else ()
        source = TxInput(OutPoint(salt.hex(), 1), b"" if witness else b"\x51", RBF_SEQUENCE, witness)
        outputs = (
            TxOutput(Sats(coin.value), self.at(coin.branch, coin.index).script_pubkey),
            TxOutput(Sats(12_345), EXTERNAL_SCRIPT),
        )
        return Transaction(2, (source,), outputs, 0)

    def payment(
        self,
        coins: Sequence[Coin],
        outputs: Sequence[Pay | Change],
        *,
        sequence: int = RBF_SEQUENCE,
        locktime: int = 0,
        tx_version: int = 2,
    ) -> "Payment":
        """Return an unsigned version 0 PSBT of `coins` and `outputs`, with all metadata."""
        inputs = tuple(self._input(coin, sequence) for coin in coins)
        psbt = Psbt(
            version=0,
            tx_version=tx_version,
            fallback_locktime=locktime,
            inputs=inputs,
            outputs=tuple(self._output(output) for output in outputs),
            global_xpubs=self.global_xpubs(),
        )
        return Payment(self, tuple(coins), psbt)

    def _input(self, coin: Coin, sequence: int) -> PsbtInput:
        derived, funding = self.at(coin.branch, coin.index), self.funding(coin)
        return PsbtInput(
            outpoint=OutPoint(funding.txid, 0),
            stated_sequence=sequence,
            non_witness_utxo=funding,
            witness_utxo=funding.outputs[0],
            redeem_script=derived.redeem_script,
            witness_script=derived.witness_script,
            derivations=self.derivations(coin.branch, coin.index),
        )

    def _output(self, output: Pay | Change) -> PsbtOutput:
        if isinstance(output, Pay):
            return PsbtOutput(Sats(output.value), output.script)
        derived = self.at(output.branch, output.index)
        return PsbtOutput(
            value=Sats(output.value),
            script_pubkey=derived.script_pubkey,
            redeem_script=derived.redeem_script,
            witness_script=derived.witness_script,
            derivations=self.derivations(output.branch, output.index),
        )


@dataclass(frozen=True)
class Payment:
    """A PSBT with the vault and the coins that it was built from."""

    vault: TestVault
    coins: tuple[Coin, ...]
    psbt: Psbt
    scripts: tuple[SpendScript, ...] = field(init=False)

    def __post_init__(self) -> None:
        scripts = tuple(
            SpendScript(derived.witness_script, Sats(coin.value), derived.redeem_script)
            for coin in self.coins
            for derived in (self.vault.at(coin.branch, coin.index),)
        )
        object.__setattr__(self, "scripts", scripts)

    def with_psbt(self, psbt: Psbt) -> "Payment":
        """Return the same coins with another PSBT, to sign what a test has altered."""
        return replace(self, psbt=psbt)

    @property
    def spent_outputs(self) -> tuple[TxOutput, ...]:
        """The outputs that the payment spends, in input order."""
        return tuple(
            TxOutput(Sats(coin.value), self.vault.at(coin.branch, coin.index).script_pubkey) for coin in self.coins
        )

    def public_key(self, index: int, cosigner: int) -> bytes:
        """Return the key of `cosigner` in input `index`."""
        coin = self.coins[index]
        return self.vault.at(coin.branch, coin.index).key_by_cosigner[cosigner]

    def signature(
        self, index: int, cosigner: int, *, sighash: int = 0x01, value: int | None = None, grind: bool = False
    ) -> bytes:
        """Return the signature of `cosigner` for input `index`: DER, low S, with the sighash byte.

        `grind` gives the low-R signature: for half of all messages another, equally valid one.
        """
        coin = self.coins[index]
        script = self.vault.at(coin.branch, coin.index).witness_script
        digest = bip143_digest(
            self.psbt.unsigned_transaction(), index, script, coin.value if value is None else value, sighash
        )
        return sign_digest(self.vault, cosigner, coin, digest, grind=grind) + bytes((sighash,))

    def signed(self, *cosigners: int, inputs: Sequence[int] | None = None, sighash: int = 0x01) -> Psbt:
        """Return the PSBT with partial signatures of `cosigners`, on all inputs or on `inputs`."""
        psbt = self.psbt
        for index in range(len(psbt.inputs)) if inputs is None else inputs:
            new = tuple(
                PartialSignature(self.public_key(index, number), self.signature(index, number, sighash=sighash))
                for number in cosigners
            )
            entries = {entry.public_key: entry for entry in (*psbt.inputs[index].partial_signatures, *new)}
            ordered = tuple(entries[key] for key in sorted(entries))
            psbt = psbt.with_input(index, replace(psbt.inputs[index], partial_signatures=ordered))
        return psbt

    def final_witness(self, index: int, *cosigners: int) -> tuple[bytes, ...]:
        """Return the witness of input `index`, signatures in script order."""
        keys = {self.public_key(index, number): number for number in cosigners}
        signatures = [self.signature(index, keys[key]) for key in sorted(keys)]
        return (b"", *signatures, self.scripts[index].witness_script)

    def finalized(self, *cosigners: int) -> Transaction:
        """Return the final transaction, signed by `cosigners` on every input."""
        unsigned = self.psbt.unsigned_transaction()
        inputs = tuple(
            replace(
                one,
                script_sig=b"" if script.redeem_script is None else b"\x22" + script.redeem_script,
                witness=self.final_witness(index, *cosigners),
            )
            for index, (one, script) in enumerate(zip(unsigned.inputs, self.scripts, strict=True))
        )
        return replace(unsigned, inputs=inputs)


def sign_digest(vault: TestVault, cosigner: int, coin: Coin, digest: bytes, *, grind: bool = False) -> bytes:
    """Return a deterministic DER signature of `digest` with the cosigner's key of `coin`."""
    key = _private_key(vault.first_seed + cosigner, (*vault.path, coin.branch, coin.index))
    return bytes(key.key.sign(digest, grind=grind).serialize())


def high_s(signature: bytes) -> bytes:
    """Return the same signature (with its sighash byte) with S on the other side of the order: valid, but malleable."""
    der, sighash = signature[:-1], signature[-1:]
    r_end = 4 + der[3]
    r, s = der[4:r_end], int.from_bytes(der[r_end + 2 :], "big")
    return der_signature(int.from_bytes(r, "big"), ORDER - s) + sighash


def der_signature(r: int, s: int) -> bytes:
    """Return a signature in DER, without a sighash byte."""
    body = _der_integer(r) + _der_integer(s)
    return b"\x30" + bytes((len(body),)) + body


def bip143_digest(transaction: Transaction, index: int, script_code: bytes, value: int, sighash: int) -> bytes:
    """Return the segwit v0 digest for any sighash type, written down from BIP 143 step by step."""
    base, anyone = sighash & 0x1F, bool(sighash & 0x80)
    zero = bytes(32)
    outpoints = b"".join(one.outpoint.to_bytes() for one in transaction.inputs)
    sequences = b"".join(one.sequence.to_bytes(4, "little") for one in transaction.inputs)
    outputs = [output.to_bytes() for output in transaction.outputs]
    hash_prevouts = zero if anyone else _sha256d(outpoints)
    hash_sequence = zero if anyone or base in (2, 3) else _sha256d(sequences)
    hash_outputs = zero
    if base not in (2, 3):
        hash_outputs = _sha256d(b"".join(outputs))
    elif base == 3 and index < len(outputs):
        hash_outputs = _sha256d(outputs[index])
    own = transaction.inputs[index]
    length = len(script_code)
    size = bytes((length,)) if length < 0xFD else b"\xfd" + length.to_bytes(2, "little")
    message = transaction.version.to_bytes(4, "little", signed=True) + hash_prevouts + hash_sequence
    message += own.outpoint.to_bytes() + size + script_code + value.to_bytes(8, "little")
    message += own.sequence.to_bytes(4, "little") + hash_outputs
    message += transaction.locktime.to_bytes(4, "little") + sighash.to_bytes(4, "little")
    return _sha256d(message)


def _sha256d(message: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(message).digest()).digest()


def _der_integer(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes((len(encoded),)) + encoded
