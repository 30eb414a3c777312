"""A Trezor or KeepKey at the transport: the real `trezorlib` speaks its protobuf messages to it.

Rules: the old ones take PIN and passphrase from the computer and forget the passphrase at `Initialize`;
inputs of others are refused; every own input needs its previous transaction, which is streamed and hashed;
at most 15 keys; keys stand in the order of the script; SIGHASH_ALL alone; addresses are `tb1` on every test
network; the holder's no is a failure of its own.
Source: trezor-firmware, core/src/apps/bitcoin/sign_tx, common/protob; HWI 3.2.0, hwilib/devices/trezorlib.
"""

from collections.abc import Generator
from types import ModuleType, SimpleNamespace
from typing import Any

from embit import bip32, ec, script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from support.hwi_doubles.core import Bench, Double, address_of, multisig_script, transaction_of, wrapped

_KEEPKEY_VENDOR = 0x2B24
_TEST_PATH = [0x8000002C, 0x80000001, 0x80000000]


def install(module: ModuleType, bench: Bench) -> None:
    """Put the bench's Trezors and KeepKeys at the end of the transports."""
    import hwilib.devices.trezor as trezor

    def plugged(usb_ids: Any = None) -> list["Plugged"]:
        is_keepkey = usb_ids is not None and any(vendor == _KEEPKEY_VENDOR for vendor, _product in usb_ids)
        return [Plugged(one) for one in bench.of("keepkey" if is_keepkey else "trezor")]

    _read_the_order_of_keys()
    nothing = SimpleNamespace(enumerate=lambda *_args, **_named: [])
    for one in (module, trezor):
        one.hid = SimpleNamespace(HidTransport=nothing)  # type: ignore[attr-defined]
        one.udp = SimpleNamespace(UdpTransport=nothing)  # type: ignore[attr-defined]
        one.webusb = SimpleNamespace(WebUsbTransport=SimpleNamespace(enumerate=plugged))  # type: ignore[attr-defined]


def _read_the_order_of_keys() -> None:
    """Let messages that arrive here hold the field that HWI 3.2.0 doesn't know and the worker writes."""
    from hwilib.devices.trezorlib.messages import MultisigRedeemScriptType as Kind

    as_written = Kind.__init__

    def read(self: Any, *, pubkeys_order: int | None = None, **fields: Any) -> None:
        as_written(self, **fields)
        if pubkeys_order is not None:
            self.pubkeys_order = pubkeys_order

    Kind.__init__ = read


class Plugged:
    """`Transport` of trezorlib."""

    def __init__(self, double: Double) -> None:
        from hwilib.devices.trezorlib import messages

        self.double, self.messages = double, messages
        self.passphrase: str | None = None
        self.waiting: Any = None
        self.replies: list[Any] = []
        self.signing: Generator[Any, Any, Any] | None = None

    def get_path(self) -> str:
        return self.double.path

    def begin_session(self) -> None:
        if self.double.trouble("open") == "permission":
            from usb1 import USBErrorAccess

            raise USBErrorAccess

    def end_session(self) -> None:
        """Nothing is held open."""

    def write(self, kind: int, data: bytes) -> None:
        from hwilib.devices.trezorlib.mapping import DEFAULT_MAPPING

        message = DEFAULT_MAPPING.decode(kind, data)
        self.replies.append(getattr(self, f"on_{type(message).__name__.removeprefix('Keepkey')}")(message))

    def read(self) -> tuple[int, bytes]:
        from hwilib.devices.trezorlib.mapping import DEFAULT_MAPPING

        kind, data = DEFAULT_MAPPING.encode(self.replies.pop(0))
        return kind, data

    # Messages

    def on_Initialize(self, _message: Any) -> Any:  # noqa: N802 (the message's name)
        self.passphrase = None
        return self._features()

    def on_GetFeatures(self, _message: Any) -> Any:  # noqa: N802
        return self._features()

    def on_GetPublicKey(self, message: Any) -> Any:  # noqa: N802
        return self._when_open(lambda: self._public_key(list(message.address_n)))

    def on_GetAddress(self, message: Any) -> Any:  # noqa: N802
        return self._when_open(lambda: self._address(message))

    def on_PinMatrixAck(self, message: Any) -> Any:  # noqa: N802
        if message.pin != self.double.record["pin"]:
            return self.messages.Failure(code=self.messages.FailureType.PinInvalid, message="PIN invalid")
        self.double.record["locked"] = False
        self.double.save()
        return self._when_open(self.waiting)

    def on_PassphraseAck(self, message: Any) -> Any:  # noqa: N802
        typed_here = message.passphrase if message.passphrase is not None else ""
        self.passphrase = self.double.record["passphrase"] if message.on_device else typed_here
        return self._when_open(self.waiting)

    def on_SignTx(self, message: Any) -> Any:  # noqa: N802
        return self._when_open(lambda: self._begin(message))

    def on_TxAck(self, message: Any) -> Any:  # noqa: N802
        assert self.signing is not None
        return self.signing.send(message.tx)

    # What the device does

    def _features(self) -> Any:
        from hwilib.devices.trezorlib.mapping import DEFAULT_MAPPING

        record = self.double.record
        is_keepkey = record["family"] == "keepkey"
        kind = DEFAULT_MAPPING.type_to_class[self.messages.Features.MESSAGE_WIRE_TYPE]
        major, minor, patch = (int(part) for part in record["firmware"].split("."))
        on_device = record["model"] not in ("1", "K1-14AM")
        return kind(
            vendor="keepkey.com" if is_keepkey else "trezor.io",
            major_version=major,
            minor_version=minor,
            patch_version=patch,
            model=record["model"],
            label=record["label"],
            device_id="D0B1",
            initialized=record["initialized"],
            pin_protection=record["pin"] != "",
            unlocked=not record["locked"],
            passphrase_protection=record["asks_passphrase"],
            capabilities=[self.messages.Capability.PassphraseEntry] if on_device else [],
            session_id=b"s" * 32 if on_device else None,
        )

    def _when_open(self, action: Any) -> Any:
        self.waiting = action
        what = self.double.trouble("key")
        if what == "unplug":
            from usb1 import USBErrorNoDevice

            raise USBErrorNoDevice
        if what == "refuse":
            return self._failure("ActionCancelled", "Cancelled")
        if self.double.record["locked"]:
            return self.messages.PinMatrixRequest(type=self.messages.PinMatrixRequestType.Current)
        if self.double.record["asks_passphrase"] and self.passphrase is None:
            return self.messages.PassphraseRequest()
        return action()

    def _master(self) -> bip32.HDKey:
        return self.double.master(self.passphrase or "")

    def _public_key(self, path: list[int]) -> Any:
        xpub = bip32.HDKey.to_string(self._master().derive(path).to_public(), bytes.fromhex("0488b21e"))
        if self.double.record["other_keys"] and path[:1] == [0x80000030]:
            other = self._master().derive([*path[:-1], path[-1] ^ 1]).to_public()
            other = bip32.HDKey(other.key, other.chain_code, None, other.depth, other.fingerprint, path[-1])
            xpub = other.to_string(bytes.fromhex("0488b21e"))
        node = self.messages.HDNodeType(
            depth=len(path), fingerprint=0, child_num=0, chain_code=bytes(32), public_key=bytes(33)
        )
        return self.messages.PublicKey(node=node, xpub=xpub)

    def _address(self, message: Any) -> Any:
        if message.show_display and self.double.trouble("show") == "refuse":
            return self._failure("ActionCancelled", "Cancelled")
        if message.multisig is None:
            key = self._master().derive(list(message.address_n)).to_public().key
            return self.messages.Address(address=script.p2wpkh(key).address({"bech32": "tb"}))
        keys = [_node_key(one) for one in message.multisig.pubkeys]
        own = bytes(self._master().derive(list(message.address_n)).to_public().key.sec())
        if own not in keys or len(keys) > 15:
            return self._failure("DataError", "Pubkey not found in multisig script")
        nested = message.script_type == self.messages.InputScriptType.SPENDP2SHWITNESS
        pubkey_script = wrapped(multisig_script(message.multisig.m, keys), nested=nested)
        return self.messages.Address(
            address=address_of(pubkey_script, "tb" if message.coin_name == "Testnet" else "bc")
        )

    def _begin(self, message: Any) -> Any:
        if self.double.trouble("sign") == "refuse":
            return self._failure("ActionCancelled", "Cancelled")
        self.signing = self._sign(message)
        return next(self.signing)

    def _sign(self, message: Any) -> Generator[Any, Any, Any]:
        """Ask for everything, hash the previous transactions, then hand out one signature an input."""
        inputs, values = [], []
        for number in range(message.inputs_count):
            item = (yield self._request("TXINPUT", number)).inputs[0]
            previous = yield from self._previous(item.prev_hash)
            if previous.txid() != item.prev_hash:
                yield self._failure("DataError", "Encountered invalid prevhash")
            inputs.append(item)
            values.append(previous.vout[item.prev_index].value)
        paid = []
        for number in range(message.outputs_count):
            out = (yield self._request("TXOUTPUT", number)).outputs[0]
            paid.append((out.amount, self._script(out)))
            if out.multisig is None or {self._group(out)} != {self._group(item) for item in inputs}:
                self.double.record["shown"].append([out.amount, address_of(paid[-1][1], "tb")])
        self.double.save()
        coins = [(item.prev_hash[::-1], item.prev_index, item.sequence) for item in inputs]
        transaction = transaction_of(message.version, message.lock_time, coins, paid)
        for number, item in enumerate(inputs):
            keys = [_node_key(one) for one in item.multisig.pubkeys]
            if bytes(self._master().derive(list(item.address_n)).to_public().key.sec()) not in keys:
                yield self._failure("DataError", "Pubkey not found in multisig script")
            witness_script = multisig_script(item.multisig.m, keys)
            der = self._der(transaction, number, item, witness_script, values[number])
            request = self._request("TXINPUT" if number + 1 < len(inputs) else "TXFINISHED", 0)
            request.serialized = self.messages.TxRequestSerializedType(
                signature_index=number, signature=der, serialized_tx=b""
            )
            yield request

    def _group(self, part: Any) -> tuple[object, ...]:
        """What makes two scripts the same vault to the device: all but the last two steps.

        Since 2.8.7 the order of the keys counts, unless the message says that they are sorted.
        """
        nodes = [(bytes(one.node.public_key), bytes(one.node.chain_code)) for one in part.multisig.pubkeys]
        keeps_order = self.double.record["family"] == "trezor" and not getattr(part.multisig, "pubkeys_order", None)
        return part.multisig.m, *(nodes if keeps_order else sorted(nodes))

    def _der(self, transaction: Transaction, number: int, item: Any, witness_script: bytes, value: int) -> bytes:
        key = self._master().derive(list(item.address_n)).key
        digest = transaction.sighash_segwit(number, script.Script(witness_script), value)
        return bytes(ec.PrivateKey(key.secret).sign(digest).serialize())

    def _previous(self, txid: bytes) -> Generator[Any, Any, Transaction]:
        meta = yield self._request("TXMETA", None, txid)
        inputs, outputs = [], []
        for number in range(meta.inputs_cnt):
            item = (yield self._request("TXINPUT", number, txid)).inputs[0]
            inputs.append(
                TransactionInput(item.prev_hash, item.prev_index, script.Script(item.script_sig), item.sequence)
            )
        for number in range(meta.outputs_cnt):
            out = (yield self._request("TXOUTPUT", number, txid)).bin_outputs[0]
            outputs.append(TransactionOutput(out.amount, script.Script(out.script_pubkey)))
        return Transaction(meta.version, inputs, outputs, meta.lock_time)

    def _script(self, out: Any) -> bytes:
        if out.address is not None:
            return bytes(script.address_to_scriptpubkey(out.address).data)
        keys = [_node_key(one) for one in out.multisig.pubkeys]
        nested = out.script_type == self.messages.OutputScriptType.PAYTOP2SHWITNESS
        return wrapped(multisig_script(out.multisig.m, keys), nested=nested)

    def _request(self, kind: str, number: int | None, txid: bytes | None = None) -> Any:
        details = self.messages.TxRequestDetailsType(request_index=number or 0, tx_hash=txid)
        return self.messages.TxRequest(request_type=getattr(self.messages.RequestType, kind), details=details)

    def _failure(self, code: str, text: str) -> Any:
        return self.messages.Failure(code=getattr(self.messages.FailureType, code), message=text)


def _node_key(one: Any) -> bytes:
    node = one.node
    if not one.address_n:
        return bytes(node.public_key)
    account = bip32.HDKey(
        ec.PublicKey.parse(bytes(node.public_key)), bytes(node.chain_code), None, node.depth,
        int(node.fingerprint).to_bytes(4, "big"), node.child_num,
    )  # fmt: skip
    return bytes(account.derive(list(one.address_n)).key.sec())
