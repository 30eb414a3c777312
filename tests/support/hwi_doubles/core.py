"""What every double of a device shares: its seed, its memory in a file, its troubles, and signing with embit.

A bench is a folder with `bench.json`: the devices that lie on it. A worker finds them there, and what a
device learns (a registered vault, an unlocked state) is written back, as a real one would keep it.
"""

import ctypes
import hashlib
import hmac
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embit import bip32, ec, script
from embit.transaction import Transaction, TransactionInput, TransactionOutput

HARDENED = 0x80000000
TPUB, XPUB = bytes.fromhex("043587cf"), bytes.fromhex("0488b21e")


class Double:
    """One device on the bench."""

    def __init__(self, bench: "Bench", record: dict[str, Any]) -> None:
        self.bench = bench
        self.record = record

    @property
    def path(self) -> str:
        return str(self.record["path"])

    @property
    def wallets(self) -> "list[Wallet]":
        return [Wallet(**one) for one in self.record["wallets"]]

    def master(self, passphrase: str = "") -> bip32.HDKey:
        seed = hashlib.sha256(f"custody public test seed {self.record['seed']}".encode()).digest()
        return bip32.HDKey.from_seed(hashlib.sha256(seed + passphrase.encode()).digest() if passphrase else seed)

    @property
    def fingerprint(self) -> bytes:
        return bytes(self.master(self.record["passphrase"]).my_fingerprint)

    def xpub(self, path: Sequence[int], version: bytes = TPUB) -> str:
        if self.record["other_keys"]:
            path = [*path[:-1], path[-1] ^ 1] if path else path  # claims the fingerprint, lacks the key
        key = self.master(self.record["passphrase"]).derive(list(path)).to_public()
        if self.record["other_keys"] and path:
            key = bip32.HDKey(key.key, key.chain_code, version, key.depth, key.fingerprint, path[-1] ^ 1)
        return str(key.to_string(version))

    def keep(self, wallet: "Wallet") -> None:
        if vars(wallet) not in self.record["wallets"]:
            self.record["wallets"].append(vars(wallet))
        self.save()

    def save(self) -> None:
        self.bench.save()

    def trouble(self, step: str) -> str | None:
        """Return the trouble that waits at this step; those that no driver can survive happen here."""
        waiting = self.record["trouble"]
        if waiting is None or waiting["at"] not in (step, "any"):
            return None
        what = str(waiting["what"])
        if not waiting.get("stays"):
            self.record["trouble"] = None
            self.save()
        if what == "hang":
            self.record["process"] = {"pid": os.getpid()}
            self.save()
            time.sleep(3600)
        if what == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "noise":
            os.write(1, b'{"answer": []}\n')
            print('{"answer": []}', flush=True)
        if what == "report":
            self.record["process"] = _process()
            self.save()
        return what

    def sign(
        self, transaction: Transaction, number: int, path: Sequence[int], witness_script: bytes, value: int
    ) -> bytes:
        """Return a DER signature with its sighash byte; embit computes what is signed."""
        digest = transaction.sighash_segwit(number, script.Script(witness_script), value)
        if self.record["signs"] == "another input" and len(transaction.vin) > 1:
            other = (number + 1) % len(transaction.vin)
            digest = transaction.sighash_segwit(other, script.Script(witness_script), value)
        if self.record["signs"] == "garbage":
            digest = hashlib.sha256(digest).digest()
        key = self.master(self.record["passphrase"]).derive(list(path)).key
        return bytes(ec.PrivateKey(key.secret).sign(digest).serialize()) + b"\x01"

    def public_key(self, path: Sequence[int]) -> bytes:
        return bytes(self.master(self.record["passphrase"]).derive(list(path)).to_public().key.sec())

    def secret(self, purpose: bytes) -> bytes:
        """A key that only this device has, as a Ledger derives one for its tokens."""
        return hmac.new(self.master(self.record["passphrase"]).key.secret, purpose, hashlib.sha256).digest()


def _process() -> dict[str, object]:
    """Return what the worker's process is like, as a driver inside it sees it."""
    return {
        "environment": sorted(os.environ),
        "arguments": sys.argv[1:],
        "folder": str(Path.cwd()),
        "streams": [str(Path(f"/proc/self/fd/{number}").readlink()) for number in (0, 1, 2)],
        "core_limit": list(resource.getrlimit(resource.RLIMIT_CORE)),
        "dumpable": ctypes.CDLL(None).prctl(3, 0),
        "session": os.getsid(0) == os.getpid(),
    }


class Bench:
    """The devices of a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "bench.json"
        self._records = json.loads(self._file.read_text())

    def of(self, family: str) -> list[Double]:
        return [Double(self, record) for record in self._records["devices"] if record["family"] == family]

    def at(self, path: str) -> Double:
        for record in self._records["devices"]:
            if record["path"] == path:
                return Double(self, record)
        raise OSError("open failed")

    def driver_trouble(self, family: str) -> str | None:
        """Return what is wrong with a whole driver: a missing library, no permission."""
        found = self._records["drivers"].get(family)
        return None if found is None else str(found)

    def note_import(self, driver: str) -> None:
        self._records["imports"].append([driver, sorted(n for n in sys.modules if n.startswith("hwilib.devices."))])
        self.save()

    def save(self) -> None:
        # Whole or not at all: a test may read while a worker writes.
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(self._records))
        fresh.replace(self._file)


class Wallet:
    """A multisig as a device remembers it."""

    def __init__(self, name: str, threshold: int, keys: Sequence[Sequence[str]], nested: bool) -> None:
        self.name = name
        self.threshold = threshold
        self.keys = [list(key) for key in keys]
        """Fingerprint in hex, path as `48h/1h/0h/2h`, xpub."""
        self.nested = nested

    def fingerprints(self) -> set[str]:
        return {fingerprint for fingerprint, _, _ in self.keys}

    def public_keys(self, branch: int, index: int) -> list[bytes]:
        accounts = [bip32.HDKey.from_string(text) for _, _, text in self.keys]
        return sorted(bytes(account.derive([branch, index]).key.sec()) for account in accounts)

    def witness_script(self, branch: int, index: int) -> bytes:
        return multisig_script(self.threshold, self.public_keys(branch, index))

    def script_pubkey(self, branch: int, index: int) -> bytes:
        return wrapped(self.witness_script(branch, index), nested=self.nested)

    def address(self, branch: int, index: int, hrp: str = "tb") -> str:
        return address_of(self.script_pubkey(branch, index), hrp)


def multisig_script(threshold: int, keys: Sequence[bytes]) -> bytes:
    pushed = b"".join(bytes([33]) + key for key in keys)
    return bytes([80 + threshold]) + pushed + bytes([80 + len(keys), 0xAE])


def wrapped(witness_script: bytes, *, nested: bool) -> bytes:
    program = b"\x00\x20" + hashlib.sha256(witness_script).digest()
    if not nested:
        return program
    return bytes(script.p2sh(script.Script(program)).data)


def address_of(script_pubkey: bytes, hrp: str) -> str:
    network = {"bech32": hrp, "p2sh": b"\x05" if hrp == "bc" else b"\xc4", "p2pkh": b"\x00" if hrp == "bc" else b"\x6f"}
    return str(script.Script(script_pubkey).address(network))


def steps_of(path: str) -> list[int]:
    parts = path.replace("'", "h").removeprefix("m").strip("/").split("/")
    return [int(part.rstrip("h")) + (HARDENED if part.endswith("h") else 0) for part in parts if part]


def path_text(steps: Sequence[int]) -> str:
    return "/".join(f"{step & ~HARDENED}h" if step & HARDENED else str(step) for step in steps)


def transaction_of(
    version: int,
    locktime: int,
    inputs: Sequence[tuple[bytes, int, int]],
    outputs: Sequence[tuple[int, bytes]],
) -> Transaction:
    """Return embit's transaction; txids in the order of a serialized transaction."""
    return Transaction(
        version,
        [TransactionInput(txid[::-1], vout, sequence=sequence) for txid, vout, sequence in inputs],
        [TransactionOutput(value, script.Script(data)) for value, data in outputs],
        locktime,
    )
