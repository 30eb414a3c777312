"""A Coldcard behind its USB protocol: HWI's own client sends real messages, only the cable is missing.

Rules: wallets are enrolled first, by text; global xpubs must be exactly the enrolled ones; BIP 67 only;
addresses only of an enrolled wallet; files are checked by their hash; 15 signers.
Source: Coldcard/firmware, shared/usb.py, shared/auth.py, shared/multisig.py.
"""

import hashlib
import struct
from types import ModuleType
from typing import Any

from ecdsa import SECP256k1, SigningKey
from embit.psbt import PSBT

from support.hwi_doubles.core import TPUB, Bench, Double, Wallet, address_of, path_text, steps_of, wrapped
from support.hwi_doubles.psbt_signing import sign_psbt

_NESTED = 0x1A
"""AF_P2WSH_P2SH, as the messages number address formats."""


def install(module: ModuleType, bench: Bench) -> None:
    """Put the bench's Coldcards at the end of the driver's cable."""
    from hwilib.devices.ckcc.client import ColdcardDevice
    from hwilib.devices.ckcc.protocol import CCBusyError, CCProtoError, CCUserRefused

    class Cable(ColdcardDevice):  # type: ignore[misc, unused-ignore]
        """Answers each message that HWI packs."""

        def __init__(self, sn: object = None, dev: Any = None) -> None:
            self.double: Double = dev.double
            self.dev, self.is_simulator, self.serial = dev, False, "double"
            self.master_xpub = self.double.xpub([])
            self.master_fingerprint = struct.unpack("<I", self.double.fingerprint)[0]
            self.session_key = hashlib.sha256(b"session").digest()
            self.uploaded, self.result = b"", b""

        def close(self) -> None:
            self.dev = None

        def send_recv(self, msg: bytes, **_options: object) -> object:
            kind, rest = msg[:4].decode(), bytes(msg[4:])
            return getattr(self, f"on_{kind}")(rest)

        def on_vers(self, _rest: bytes) -> str:
            return f"2026-08-01\n{self.double.record['firmware']}\nmk4"

        def on_mitm(self, _rest: bytes) -> bytes:
            master = self.double.master(self.double.record["passphrase"])
            return b"\x00" + SigningKey.from_string(master.key.secret, curve=SECP256k1).sign_digest(self.session_key)

        def on_xpub(self, rest: bytes) -> str:
            self._trouble("key")
            return self.double.xpub(steps_of(rest.decode()), TPUB)

        def on_upld(self, rest: bytes) -> int:
            offset, _total = struct.unpack_from("<II", rest)
            self.uploaded = self.uploaded[:offset] + rest[8:]
            return int(offset)

        def on_sha2(self, _rest: bytes) -> bytes:
            return hashlib.sha256(self.uploaded).digest()

        def on_enrl(self, rest: bytes) -> None:
            self._require_upload(*struct.unpack("<I32s", rest))
            if self.double.trouble("register") != "refuse":  # the device doesn't say that its holder refused
                self.double.keep(read_text(self.uploaded.decode()))

        def on_msck(self, rest: bytes) -> int:
            threshold, count, mixed = struct.unpack("<3I", rest)
            return sum((w.threshold, len(w.keys), _mixed(w)) == (threshold, count, mixed) for w in self.double.wallets)

        def on_p2sh(self, rest: bytes) -> str:
            self._trouble("show")
            kind, _threshold, count, length = struct.unpack_from("<IBBH", rest)
            script, place = rest[8 : 8 + length], 8 + length
            fingerprints, path = set(), ()
            for _ in range(count):
                steps = struct.unpack_from(f"<{rest[place]}I", rest, place + 1)
                place += 1 + 4 * rest[place]
                fingerprints.add(struct.pack("<I", steps[0]).hex())
                path = steps[-2:]
            wallet = self._wallet(fingerprints)
            if wallet.witness_script(*path) != script:
                raise CCProtoError("Coldcard Error: Redeem/witness script doesn't match")
            hrp = "bcrt" if self.double.record["chain"] == "XRT" else "tb"
            return address_of(wrapped(script, nested=kind & 0xFF == _NESTED), hrp)

        def on_stxn(self, rest: bytes) -> None:
            length, _flags, digest = struct.unpack("<II32s", rest)
            self._require_upload(length, digest)
            self._trouble("sign")
            self.result = self._signed()

        def on_stok(self, _rest: bytes) -> tuple[int, bytes]:
            return len(self.result), hashlib.sha256(self.result).digest()

        def on_dwld(self, rest: bytes) -> bytes:
            offset, length, _number = struct.unpack("<III", rest)
            return self.result[offset : offset + length]

        def _signed(self) -> bytes:
            psbt = PSBT.parse(self.uploaded)
            if not psbt.inputs[0].bip32_derivations:
                raise CCProtoError("Coldcard Error: need key derivations")
            origins = {bytes(o.fingerprint).hex() for o in psbt.inputs[0].bip32_derivations.values()}
            wallet = self._wallet(origins)
            stated = {
                (bytes(o.fingerprint).hex(), path_text(o.derivation), key.to_string(TPUB))
                for key, o in psbt.xpubs.items()
            }
            if stated and stated != {tuple(key) for key in wallet.keys}:
                raise CCProtoError("Coldcard Error: XPUBs in PSBT do not match any existing wallet")
            return sign_psbt(self.double, self.uploaded, wallet)

        def _wallet(self, fingerprints: set[str]) -> Wallet:
            for wallet in self.double.wallets:
                if wallet.fingerprints() == fingerprints:
                    return wallet
            raise CCProtoError("Coldcard Error: Multisig wallet with those fingerprints not found")

        def _require_upload(self, length: int, digest: bytes) -> None:
            if (len(self.uploaded), hashlib.sha256(self.uploaded).digest()) != (length, digest):
                raise CCProtoError("Coldcard Error: Checksum")

        def _trouble(self, step: str) -> None:
            what = self.double.trouble(step)
            if what == "refuse":
                raise CCUserRefused()
            if what == "busy":
                raise CCBusyError()
            if what == "unplug":
                raise OSError("read error")

    module.ColdcardDevice = Cable  # type: ignore[attr-defined]
    module.hid = Hid(bench, "coldcard")  # type: ignore[attr-defined]


class Hid:
    """The `hid` module of a driver, with the bench's devices plugged in."""

    def __init__(self, bench: Bench, family: str, **extra: object) -> None:
        self._bench, self._family, self._extra = bench, family, extra

    def enumerate(self, _vendor: int = 0, _product: int = 0) -> list[dict[str, object]]:
        return [
            {"path": one.path.encode(), "interface_number": 0, **self._extra} for one in self._bench.of(self._family)
        ]

    def device(self) -> "Plug":
        return Plug(self._bench)


class Plug:
    """An opened device of `hid`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def open_path(self, path: bytes) -> None:
        self.double = self._bench.at(path.decode())
        if self.double.trouble("open") == "permission":
            raise OSError("open failed")

    def close(self) -> None:
        """Nothing is held open."""


def read_text(text: str) -> Wallet:
    """Read the multisig text as the firmware does, from what stands in it."""
    said: dict[str, str] = {}
    keys: list[list[str]] = []
    path = ""
    for line in text.splitlines():
        if line.startswith("#") or ":" not in line:
            continue
        label, _, value = (part.strip() for part in line.partition(":"))
        if label == "Derivation":
            path = path_text(steps_of(value))
        elif len(label) == 8:
            keys.append([label.lower(), path, value])
        else:
            said[label] = value
    return Wallet(said["Name"], int(said["Policy"].split()[0]), keys, said["Format"] != "P2WSH")


def _mixed(wallet: Wallet) -> int:
    mixed = 0
    for fingerprint, _, _ in wallet.keys:
        mixed ^= int.from_bytes(bytes.fromhex(fingerprint), "little")
    return mixed
