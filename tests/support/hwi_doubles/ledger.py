"""A Ledger with the new Bitcoin app: HWI's `NewClient`, with the app's answers instead of its cable.

Rules: a policy's name is 1 to 64 characters, it has at most 15 keys and one of them is its own; the token
is a MAC under a key of this seed alone, and another one is refused without a question (0xB008); the holder
says no by 0x6985; inputs that the policy doesn't describe stay unsigned, silently; the full previous
transaction must fit. Addresses are `tb1` on every test network.
Source: LedgerHQ/app-bitcoin-new, doc/wallet.md, src/handler/sign_psbt.c, src/handler/register_wallet.c.
"""

import hashlib
import hmac
import re
from types import ModuleType
from typing import Any

from support.hwi_doubles.coldcard import Hid
from support.hwi_doubles.core import Bench, Double, Wallet, path_text, steps_of, transaction_of

_LABEL = b"a registered policy"
_KEY = re.compile(r"\[([0-9a-f]{8})/([^\]]*)\](\w+)")


def install(module: ModuleType, bench: Bench) -> None:
    """Put the bench's Ledgers behind `createClient`."""
    from hwilib.devices.ledger_bitcoin.client import LegacyClient, NewClient
    from hwilib.devices.ledger_bitcoin.exception import DeviceException, NotSupportedError

    class Transport:
        def __init__(self, *, interface: str, debug: bool, hid_path: bytes) -> None:
            self.double = bench.at(hid_path.decode())
            if self.double.trouble("open") == "permission":
                raise OSError("open failed")

        def stop(self) -> None:
            """Nothing is held open."""

    class App(NewClient):  # type: ignore[misc, unused-ignore]
        """The app; what HWI would send it in pieces arrives here whole."""

        def __init__(self, transport: Transport) -> None:
            self.transport_client, self.double = transport, transport.double

        def get_version(self) -> tuple[bytes, bytes, bytes]:
            return self.double.record["app"].encode(), self.double.record["firmware"].encode(), b"\x00"

        def get_master_fingerprint(self) -> bytes:
            return self.double.fingerprint

        def get_extended_pubkey(self, path: str, display: bool = False) -> str:
            self._trouble("key")
            steps = steps_of(path)
            coin = 0x80000000 if self.double.record["app"] == "Bitcoin" else 0x80000001
            if len(steps) > 1 and steps[1] != coin and not display:
                raise DeviceException(error_code=0x6A82)
            return self.double.xpub(steps)

        def register_wallet(self, wallet: Any) -> tuple[bytes, bytes]:
            self._trouble("register")
            known = _wallet(wallet)
            if not 1 <= len(wallet.name) <= 64 or len(known.keys) > 15:
                raise DeviceException(error_code=0x6A80)
            own = [key for key in known.keys if key[0] == self.double.fingerprint.hex()]
            if not own or self.double.xpub(steps_of(own[0][1])) != own[0][2]:
                raise DeviceException(error_code=0x6A80)
            if self.double.record["signs"] == "another policy":
                return bytes(32), self._token(bytes(32))
            return wallet.id, self._token(wallet.id)

        def get_wallet_address(
            self, wallet: Any, wallet_hmac: Any, change: int, address_index: int, display: bool
        ) -> str:
            self._require_token(wallet.id, wallet_hmac)
            self._trouble("show")
            return _wallet(wallet).address(change, address_index)

        def sign_psbt(self, psbt: Any, wallet: Any, wallet_hmac: Any) -> list[tuple[int, bytes, bytes]]:
            assert psbt.version == 2
            self._require_token(wallet.id, wallet_hmac)
            self._trouble("sign")
            return sign(self.double, psbt, _wallet(wallet))

        def _token(self, policy_id: bytes) -> bytes:
            made_by = self.double.record["token_key"].encode()
            return hmac.new(self.double.secret(_LABEL + made_by), policy_id, hashlib.sha256).digest()

        def _require_token(self, policy_id: bytes, token: bytes) -> None:
            if token != self._token(policy_id):
                self.double.record["tokens_refused"] += 1
                self.double.save()
                raise DeviceException(error_code=0xB008)

        def _trouble(self, step: str) -> None:
            what = self.double.trouble(step)
            if what == "refuse":
                raise DeviceException(error_code=0x6985)
            if what == "lock":
                raise DeviceException(error_code=0x5515)
            if what == "unplug":
                raise OSError("read error")

    def create(transport: Transport, **_options: object) -> Any:
        app, version = transport.double.record["app"], transport.double.record["firmware"]
        if transport.double.trouble("look") == "lock":
            raise DeviceException(error_code=0x5515)
        if app not in ("Bitcoin", "Bitcoin Test"):
            raise NotSupportedError(0x6A82, None, "Ledger is not in either the Bitcoin or Bitcoin Testnet app")
        if version.startswith("1."):

            class Old(LegacyClient):  # type: ignore[misc, unused-ignore]
                __init__ = App.__init__
                get_version = App.get_version
                get_master_fingerprint = App.get_master_fingerprint

            return Old(transport)
        return App(transport)

    module.TransportClient, module.createClient = Transport, create  # type: ignore[attr-defined]
    module.hid = Hid(bench, "ledger", product_id=0x5011)  # type: ignore[attr-defined]


def sign(double: Double, psbt: Any, wallet: Wallet) -> list[tuple[int, bytes, bytes]]:
    """Sign what the policy describes."""
    transaction = transaction_of(
        psbt.tx_version,
        psbt.compute_lock_time(),
        [(item.prev_txid, item.prev_out, item.sequence) for item in psbt.inputs],
        [(out.amount, bytes(out.script)) for out in psbt.outputs],
    )
    signatures = []
    for number, item in enumerate(psbt.inputs):
        for public_key, origin in item.hd_keypaths.items():
            if origin.fingerprint != double.fingerprint:
                continue
            previous = item.non_witness_utxo.vout[item.prev_out]
            branch, index = origin.path[-2:]
            if previous.scriptPubKey != wallet.script_pubkey(branch, index):
                continue
            script = wallet.witness_script(branch, index)
            signatures.append(
                (number, public_key, double.sign(transaction, number, origin.path, script, previous.nValue))
            )
    return signatures


def _wallet(policy: Any) -> Wallet:
    keys = [_KEY.fullmatch(text) for text in policy.keys_info]
    found = re.fullmatch(r"(sh\()?wsh\(sortedmulti\((\d+),.*", policy.descriptor_template)
    assert found is not None
    parts = [[m[1], path_text(steps_of(m[2])), m[3]] for m in keys if m is not None]
    return Wallet(policy.name, int(found[2]), parts, found[1] is not None)
