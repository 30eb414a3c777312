"""A BitBox02 behind its own library, with HWI's client and its protobuf messages unchanged.

Rules: firmware 9; paired beforehand; 2 to 15 different keys, its own compared; multisig is registered
before anything is shown or signed; keys always sorted; every input needs its full previous transaction and
one script type for all; `tb1` on every test network; the holder's no is error 104.
Source: bitbox02-firmware, src/rust/bitbox02-rust/src/hww/api/bitcoin; HWI 3.2.0, hwilib/devices/bitbox02.py.
"""

from types import ModuleType, SimpleNamespace
from typing import Any

import semver
from ecdsa.util import sigdecode_der
from embit import bip32

from support.hwi_doubles.coldcard import Hid, Plug
from support.hwi_doubles.core import TPUB, XPUB, Bench, Double, Wallet, transaction_of

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_USER_ABORT, _INVALID_INPUT = 104, 101


def install(module: ModuleType, bench: Bench) -> None:
    """Put the bench's BitBox02s behind HWI's driver."""
    from hwilib.devices.bitbox02_lib.communication import Bitbox02Exception, UserAbortException
    from hwilib.devices.bitbox02_lib.communication.bitbox_api_protocol import BitBox02Edition, Platform

    library = module.bitbox02

    class Transport:
        def __init__(self, plug: Plug) -> None:
            self.double: Double = plug.double

        def close(self) -> None:
            """Nothing is held open."""

    class Box:
        def __init__(self, transport: Transport, device_info: object, noise_config: Any) -> None:
            self.double = transport.double
            if not self.double.record["paired"]:
                noise_config.show_pairing("CODE", lambda: True)
            self.version = semver.VersionInfo.parse(self.double.record["firmware"])

        @staticmethod
        def get_info(transport: Transport) -> tuple[str, object, object, bool, bool]:
            record = transport.double.record
            return f"v{record['firmware']}", Platform.BITBOX02, BitBox02Edition.BTCONLY, not record["locked"], True

        def check_min_version(self) -> None:
            """Every double's firmware is new enough."""

        def device_info(self) -> dict[str, object]:
            return {"initialized": self.double.record["initialized"], "mnemonic_passphrase_enabled": False}

        def root_fingerprint(self) -> bytes:
            return self.double.fingerprint

        def btc_xpub(self, keypath: list[int], coin: int, xpub_type: int, display: bool) -> str:
            self._trouble("key")
            if len(keypath) != 4 or keypath[0] != 0x80000030:
                raise Bitbox02Exception(_INVALID_INPUT, "invalid input")
            return self.double.xpub(keypath, XPUB if coin == library.btc.BTC else TPUB)

        def btc_is_script_config_registered(self, _coin: int, config: Any, _keypath: list[int]) -> bool:
            return self._known(config) is not None

        def btc_register_script_config(
            self, coin: int, script_config: Any, keypath: list[int], name: str, xpub_type: int
        ) -> None:
            self._trouble("register")
            multisig = script_config.multisig
            if not 2 <= len(multisig.xpubs) <= 15 or len(name) > 30:
                raise Bitbox02Exception(_INVALID_INPUT, "invalid input")
            if _xpub_text(multisig.xpubs[multisig.our_xpub_index]) != self.double.xpub(keypath):
                raise Bitbox02Exception(_INVALID_INPUT, "invalid input")
            self.double.keep(_wallet(name, multisig))

        def btc_address(self, keypath: list[int], coin: int, script_config: Any, display: bool) -> str:
            self._trouble("show")
            wallet = self._known(script_config)
            if wallet is None:
                raise Bitbox02Exception(_INVALID_INPUT, "invalid input")
            return wallet.address(*keypath[-2:], hrp="bc" if coin == library.btc.BTC else "tb")

        def btc_sign(
            self, coin: int, configs: list[Any], inputs: list[Any], outputs: list[Any], locktime: int, version: int
        ) -> list[tuple[int, bytes]]:
            self._trouble("sign")
            wallet = self._known(configs[0].script_config)
            if wallet is None or len(configs) != 1 or any(one["prev_tx"] is None for one in inputs):
                raise Bitbox02Exception(_INVALID_INPUT, "invalid input")
            coins = [(one["prev_out_hash"], one["prev_out_index"], one["sequence"]) for one in inputs]
            paid = [(out.value, self._script(out, wallet)) for out in outputs]
            transaction = transaction_of(version, locktime, coins, paid)
            answers = []
            for number, one in enumerate(inputs):
                path = list(one["keypath"])
                script = wallet.witness_script(*path[-2:])
                der = self.double.sign(transaction, number, path, script, one["prev_out_value"])
                r, s = sigdecode_der(der[:-1], _ORDER)
                answers.append((number, r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x00"))
            return answers

        def _script(self, out: Any, wallet: Wallet) -> bytes:
            if isinstance(out, library.BTCOutputInternal):
                return wallet.script_pubkey(*out.keypath[-2:])
            heads = {library.btc.P2WPKH: b"\x00\x14", library.btc.P2WSH: b"\x00\x20", library.btc.P2TR: b"\x51\x20"}
            if out.type in heads:
                return heads[out.type] + out.payload
            return b"\xa9\x14" + out.payload + b"\x87"

        def _known(self, config: Any) -> Wallet | None:
            wanted = _wallet("", config.multisig)
            for wallet in self.double.wallets:
                same = (wallet.threshold, wallet.nested) == (wanted.threshold, wanted.nested)
                if same and {key[2] for key in wallet.keys} == {key[2] for key in wanted.keys}:
                    return wallet
            return None

        def _trouble(self, step: str) -> None:
            what = self.double.trouble(step)
            if what == "refuse":
                raise UserAbortException(_USER_ABORT, "aborted")
            if what == "unplug":
                raise OSError("read error")

    def _wallet(name: str, multisig: Any) -> Wallet:
        nested = multisig.script_type == library.btc.BTCScriptConfig.Multisig.P2WSH_P2SH
        return Wallet(name, multisig.threshold, [["", "", _xpub_text(one)] for one in multisig.xpubs], nested)

    library.BitBox02 = Box
    module.hid = Hid(bench, "bitbox02")  # type: ignore[attr-defined]
    module.u2fhid = SimpleNamespace(U2FHid=Transport)  # type: ignore[attr-defined]
    module.devices = SimpleNamespace(get_any_bitbox02s=module.hid.enumerate)  # type: ignore[attr-defined]


def _xpub_text(xpub: Any) -> str:
    from embit import ec

    key = ec.PublicKey.parse(bytes(xpub.public_key))
    depth, child = int.from_bytes(xpub.depth, "big"), xpub.child_num
    parent = bytes(xpub.parent_fingerprint)
    return str(bip32.HDKey(key, bytes(xpub.chain_code), TPUB, depth, parent, child).to_string(TPUB))
