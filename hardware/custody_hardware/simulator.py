"""Simulated signing devices for rehearsals, the demo and tests. Never for money.

Each device holds a published test seed in memory and nowhere else, and refuses mainnet.
It behaves like the strictest real ones: it keeps its own copy of the vault's descriptor
from registration, works out itself which outputs are change, shows what it will sign, and
refuses what it can't understand. It signs with embit, which shares no code with our first
engine, so that every signature checked later was made by somebody else's sighash.
What a real device adds, a screen and a person who reads it, can't be simulated.
"""

import hashlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Protocol, cast

from custody.bitcoin.address import address_of
from custody.bitcoin.amount import format_btc
from custody.bitcoin.bip127 import commitment_outpoint
from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyExpression, KeyOrigin, KeyPath
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import PartialSignature, Psbt, PsbtOutput
from custody.codes import Code
from custody.documents.display import escape
from custody.errors import DeviceUnavailable, InvalidInput
from custody.ports import DeviceDisplay
from custody.vault.vault import Vault

DEVICE_COUNT = 15
"""Simulators are numbered 1 to 15, as many as a vault can have."""


class _PrivateKey(Protocol):
    """The part of embit's private keys that is used."""

    def derive(self, path: list[int]) -> "_PrivateKey": ...
    def to_public(self) -> "_PublicKey": ...
    @property
    def secret(self) -> bytes: ...


class _PublicKey(Protocol):
    """The part of embit's extended public keys that is used."""

    def serialize(self) -> bytes: ...


def public_seed(number: int) -> bytes:
    """Return the public test seed of simulator `number`: SHA-256 of a sentence that anyone can read here."""
    return hashlib.sha256(f"custody public test seed {number}".encode()).digest()


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One simulated device, registered with one vault (a `SigningDevice`)."""

    number: int
    vault: Vault
    """Its own copy, from registration; what a PSBT says of the vault is not believed."""

    def __post_init__(self) -> None:
        _refuse_mainnet(self.vault.network)

    @property
    def name(self) -> str:
        """What the device is called on screen."""
        return f"simulator-{self.number}"

    @property
    def fingerprint(self) -> bytes:
        """Master key fingerprint, four bytes."""
        return _master_fingerprint(self.number)

    def sign(self, psbt: bytes) -> bytes:
        """Return the PSBT with this device's signatures added, one per input.

        Raises:
            DeviceUnavailable: an input or output is not what the device's own descriptor says, or embit
                read another transaction than we do.
        """
        parsed = Psbt.parse(psbt)
        self._require_own_inputs(parsed)
        is_proof = parsed.signed_message is not None or bool(_commitments(parsed))
        signatures = self._signatures_of_proof(parsed) if is_proof else self._embit_signatures(psbt, parsed)
        inputs = tuple(
            replace(item, partial_signatures=_merged(item.partial_signatures, signatures[index]))
            for index, item in enumerate(parsed.inputs)
        )
        return replace(parsed, inputs=inputs).serialize()

    def display(self, psbt: bytes) -> DeviceDisplay:
        """Return the screens of the device: each payment, the change that it verified, the fee; of a proof its text."""
        parsed = Psbt.parse(psbt)
        messages = [parsed.signed_message] if parsed.signed_message is not None else list(_commitments(parsed).values())
        if messages:
            return DeviceDisplay(tuple(f"sign message: {escape(text)}" for text in messages[0].decode().split("\n")))
        deriver = self.vault.deriver
        lines: list[str] = []
        for output in parsed.outputs:
            address = address_of(output.script_pubkey, self.vault.network) or output.script_pubkey.hex()
            what = "change, verified" if _is_own(output, deriver) else "send"
            lines.append(f"{what}: {format_btc(output.value)} BTC to {address}")
        lines.append(f"fee: {format_btc(self._total_in(parsed) - sum(o.value for o in parsed.outputs))} BTC")
        return DeviceDisplay(tuple(lines))

    def _total_in(self, psbt: Psbt) -> int:
        total = 0
        for index, item in enumerate(psbt.inputs):
            if index in _commitments(psbt):
                continue
            previous = item.non_witness_utxo
            if previous is None or previous.txid != item.outpoint.txid:
                raise _refused("an input has no full previous transaction")
            total += previous.outputs[item.outpoint.vout].value
        return total

    def _require_own_inputs(self, psbt: Psbt) -> None:
        self._total_in(psbt)
        deriver = self.vault.deriver
        for index, item in enumerate(psbt.inputs):
            if index in _commitments(psbt):
                continue
            place = _claimed_place(tuple(d.origin for d in item.derivations))
            previous = item.non_witness_utxo
            if place is None or previous is None:
                raise _refused(f"input {index} has no derivation")
            if deriver.at(*place).script_pubkey != previous.outputs[item.outpoint.vout].script_pubkey:
                raise _refused(f"input {index} is not of the registered vault")

    def _embit_signatures(self, raw: bytes, parsed: Psbt) -> list[tuple[PartialSignature, ...]]:
        from embit import bip32  # type: ignore[import-untyped, unused-ignore]
        from embit.psbt import PSBT  # type: ignore[import-untyped, unused-ignore]

        theirs = PSBT.read_from(BytesIO(raw))
        if theirs.tx.txid() != bytes.fromhex(parsed.unsigned_txid):
            raise _refused("embit reads another transaction")
        before = [set(item.partial_sigs) for item in theirs.inputs]
        theirs.sign_with(bip32.HDKey.from_seed(public_seed(self.number)))
        return [
            tuple(
                PartialSignature(cast(bytes, key.sec()), cast(bytes, signature))
                for key, signature in item.partial_sigs.items()
                if key not in known
            )
            for item, known in zip(theirs.inputs, before, strict=True)
        ]

    def _signatures_of_proof(self, parsed: Psbt) -> list[tuple[PartialSignature, ...]]:
        """Sign by embit's transactions alone: its PSBTs turn a sequence of 0, which BIP 322 has, into 0xffffffff."""
        from embit import bip32, script  # type: ignore[import-untyped, unused-ignore]
        from embit.transaction import Transaction  # type: ignore[import-untyped, unused-ignore]

        theirs = Transaction.parse(parsed.unsigned_transaction().serialize_without_witness())
        master = bip32.HDKey.from_seed(public_seed(self.number))
        signed: list[tuple[PartialSignature, ...]] = []
        for index, item in enumerate(parsed.inputs):
            made: list[PartialSignature] = []
            for label in item.derivations:
                if label.origin.fingerprint != self.fingerprint or item.non_witness_utxo is None:
                    continue
                value = item.non_witness_utxo.outputs[item.outpoint.vout].value
                digest = theirs.sighash_segwit(index, script.Script(item.witness_script), value)
                key = master.derive(list(label.origin.path)).key
                made.append(
                    PartialSignature(cast(bytes, key.sec()), cast(bytes, key.sign(digest).serialize()) + b"\x01")
                )
            signed.append(tuple(made))
        return signed


def simulated_key(number: int, network: Network, script_type: ScriptType) -> KeyExpression:
    """Return the public account key of simulator `number` at its BIP 48 path.

    Raises:
        InvalidInput: mainnet, or no such simulator.
        Source: BIP 48.
    """
    _refuse_mainnet(network)
    path: KeyPath = tuple(step + HARDENED for step in (48, network.coin_type, 0, script_type.bip48_step))
    account = _master(number).derive(list(path)).to_public().serialize()
    key = ExtendedKey(
        depth=account[4],
        parent_fingerprint=account[5:9],
        child_number=int.from_bytes(account[9:13]),
        chain_code=account[13:45],
        public_key=account[45:78],
    )
    return KeyExpression(KeyOrigin(_master_fingerprint(number), path), key)


def private_account_key(number: int, network: Network, path: KeyPath) -> bytes:
    """Return the 32 bytes of simulator `number`'s published private key at `path`, for the simulator's own signing.

    Raises:
        InvalidInput: mainnet, or no such simulator.
    """
    _refuse_mainnet(network)
    return _master(number).derive(list(path)).secret


def _master(number: int) -> _PrivateKey:
    from embit import bip32  # type: ignore[import-untyped, unused-ignore]

    if not 1 <= number <= DEVICE_COUNT:
        raise InvalidInput(
            Code.DEVICE_ABSENT, f"there is no simulator {number}", advice=f"Choose one from 1 to {DEVICE_COUNT}."
        )
    return cast(_PrivateKey, bip32.HDKey.from_seed(public_seed(number)))


def _master_fingerprint(number: int) -> bytes:
    from custody.bitcoin.hashing import hash160

    return hash160(_master(number).to_public().serialize()[45:78])[:4]


def _refuse_mainnet(network: Network) -> None:
    if network.is_main:
        raise InvalidInput(
            Code.SIMULATOR_REFUSES_MAINNET,
            "simulated devices have public seeds and refuse mainnet",
            advice="Use real devices for money, and a test network for a rehearsal.",
        )


def _refused(reason: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.DEVICE_REFUSED,
        f"the simulated device refuses: {reason}",
        advice="Review the PSBT with `custody psbt review` before you ask a device again.",
    )


def _commitments(psbt: Psbt) -> dict[int, bytes]:
    """Return the message of a BIP 127 proof, under the number of the input that commits to it."""
    return {
        number: one.por_commitment
        for number, one in enumerate(psbt.inputs[:1])
        if one.por_commitment is not None and one.outpoint == commitment_outpoint(one.por_commitment)
    }


def _claimed_place(origins: tuple[KeyOrigin, ...]) -> tuple[int, int] | None:
    if not origins or len(origins[0].path) < 2:
        return None
    branch, index = origins[0].path[-2:]
    return (branch, index) if branch in (0, 1) and index < HARDENED else None


def _is_own(output: PsbtOutput, deriver: ScriptDeriver) -> bool:
    place = _claimed_place(tuple(derivation.origin for derivation in output.derivations))
    return place is not None and deriver.at(*place).script_pubkey == output.script_pubkey


def _merged(present: tuple[PartialSignature, ...], added: tuple[PartialSignature, ...]) -> tuple[PartialSignature, ...]:
    known = {item.public_key for item in present}
    return (*present, *(item for item in added if item.public_key not in known))
