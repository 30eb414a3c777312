"""A stand-in for a signer's program: Bitcoin Core's external-signer commands over public test seeds, and faults.

Run as `python standin_signer.py STATE …`. STATE is a JSON file: `{"devices": [{"number": 1, "model": "trezor_t"}]}`;
a device may have `"fault"` (below), `"claims"` (the fingerprint that it tells instead of its own) and `"passphrase"`.
It shares no code with the project: it signs with embit, as any other program would with its own library. Every
request is added to STATE.log, so that a test can see what the program was given.
"""

import argparse
import base64
import hashlib
import json
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from embit import bip32, compact, ec
from embit.descriptor import Descriptor
from embit.networks import NETWORKS
from embit.psbt import PSBT
from embit.transaction import Transaction

HARDENED = 0x80000000
CHAINS = {"main": "main", "testnet4": "test", "signet": "signet", "regtest": "regtest"}
CODES = {"locked": -12, "refused": -14, "unplugged": -3, "busy": -15, "unsupported": -9}
TEXTS = {
    "locked": "Device is locked",
    "refused": "Action canceled by user",
    "unplugged": "device disconnected",
    "busy": "Device is handling another request",
    "unsupported": "This action is not supported by this device",
    "permission": "open failed",
    "library": "libusb-1.0.so: cannot open shared object file",
}


class Device:
    """One simulated device: keys, name and what is wrong with it."""

    def __init__(self, state: dict[str, Any], chain: str) -> None:
        self.model = state.get("model", "standin")
        self.fault: str = state.get("fault", "")
        self.network = NETWORKS[CHAINS[chain]]
        seed = hashlib.sha256(f"custody public test seed {state['number']}".encode()).digest()
        if state.get("passphrase"):
            seed = hashlib.sha256(seed + state["passphrase"].encode()).digest()
        self.root = bip32.HDKey.from_seed(seed, version=self.network["xprv"])
        self.true_fingerprint = self.root.child(0).fingerprint.hex()
        self.fingerprint = state.get("claims", self.true_fingerprint)
        self.asked_before = False
        """Whether a key was asked for in an earlier request."""

    def entry(self) -> dict[str, Any]:
        """Return the device as `enumerate` lists it."""
        listed = {"type": "standin", "path": f"standin:{self.true_fingerprint}", "model": self.model}
        if self.fault in ("locked", "permission", "library"):
            return {**listed, "error": TEXTS[self.fault], "code": CODES.get(self.fault, -13)}
        return {**listed, "fingerprint": self.fingerprint, "label": "public test seed"}

    def descriptors(self, account: int) -> dict[str, Any]:
        """Return descriptors at BIP 48 paths too, of which a caller takes the key that it needs."""
        receive = []
        for script in (1, 2):
            root = self.root
            if self.fault == "other-key" or (self.fault == "changing" and self.asked_before):
                root = bip32.HDKey.from_seed(hashlib.sha256(b"custody public test seed, another").digest())
            path = [48 + HARDENED, (0 if self.network["bip32"] == 0 else 1) + HARDENED, account + HARDENED]
            key = root.derive([*path, script + HARDENED]).to_public()
            origin = f"{self.fingerprint}/48h/{path[1] - HARDENED}h/{account}h/{script}h"
            text = key.to_base58(version=self.network["xpub"])
            inner = f"sortedmulti(1,[{origin}]{text}/0/*)"
            receive.append(f"sh(wsh({inner}))" if script == 1 else f"wsh({inner})")
        return {"receive": receive, "internal": []}

    def address(self, text: str) -> dict[str, Any]:
        """Return the address of a descriptor, as its screen would write it."""
        if self.fault == "other-address":
            text = text.replace("sortedmulti(2", "sortedmulti(1")
        network = self.network if self.model == "honest" else NETWORKS["test"]
        address = Descriptor.from_string(text.partition("#")[0]).derive(0).address(network)
        return {"address": address}

    def signed(self, text: str) -> dict[str, Any]:
        """Return the PSBT with this device's signatures, or bent as the fault says."""
        psbt = PSBT.from_base64(text)
        if self.fault != "sequence":
            _keep_zeros(psbt, base64.b64decode(text))
        if self.fault == "changed":
            psbt.outputs[0].value -= 1000
        if self.fault != "unsigned":
            psbt.sign_with(self.root)
        own = [set(one.partial_sigs) for one in psbt.inputs]
        if self.fault == "partial":
            psbt.inputs[0].partial_sigs.clear()
        if self.fault == "other-input":
            _swap(psbt)
        if self.fault == "stranger":
            for one, keys in zip(psbt.inputs, own, strict=True):
                stranger = ec.PrivateKey(hashlib.sha256(b"custody public test stranger").digest())
                for key in [key for key in one.partial_sigs if key in keys]:
                    one.partial_sigs[stranger.get_public_key()] = one.partial_sigs.pop(key)
        if self.fault == "trimmed":
            bare = PSBT(psbt.tx)
            for kept, one in zip(bare.inputs, psbt.inputs, strict=True):
                kept.partial_sigs.update(one.partial_sigs)
            psbt = bare
        if self.fault == "other-amount":
            psbt.inputs[0].witness_utxo.value += 1000
        if self.fault == "added-field":
            psbt.unknown[b"\xf0who-knows"] = b"what"
        if self.fault == "garbage":
            return {"psbt": base64.b64encode(b"psbt\xffgarbage").decode()}
        written = BytesIO()
        psbt.write_to(written)
        return {"psbt": base64.b64encode(written.getvalue()).decode()}


def _keep_zeros(psbt: PSBT, raw: bytes) -> None:
    """Give back what embit reads wrongly: version and sequence 0, which BIP 322 has, as others."""
    stream = BytesIO(raw[7:])  # after magic, and the key of the unsigned transaction
    unsigned = Transaction.parse(stream.read(compact.read_from(stream)))
    psbt.tx_version = _Given(unsigned.version)
    for scope, tx_input in zip(psbt.inputs, unsigned.vin, strict=True):
        scope.sequence = _Given(tx_input.sequence)


class _Given(int):
    """A number that counts as given even where it is 0."""

    def __bool__(self) -> bool:
        return True


def _swap(psbt: PSBT) -> None:
    """File the first input's signature under the second's key, and the other way round."""
    first, second = psbt.inputs[0].partial_sigs, psbt.inputs[1].partial_sigs
    (mine,), (theirs,) = list(first)[-1:], list(second)[-1:]
    first[mine], second[theirs] = second[theirs], first[mine]


def _start(state_path: Path) -> int:
    """Return how many requests were logged when the devices were last placed."""
    return int(json.loads(state_path.read_text()).get("log_lines", 0))


def answer(state_path: Path, arguments: argparse.Namespace, line: str) -> Any:
    """Return the answer to one request."""
    devices = [Device(one, arguments.chain) for one in json.loads(state_path.read_text())["devices"]]
    log = state_path.with_suffix(".log").read_text().splitlines()
    asked_before = sum('"getdescriptors"' in line for line in log[_start(state_path) :]) > (
        arguments.command == "getdescriptors"
    )
    for one in devices:
        one.asked_before = asked_before
    devices = [one for one in devices if not (one.fault == "gone-after-one-key" and asked_before)]
    if arguments.command == "enumerate":
        return [one.entry() for one in devices]
    device = next((one for one in devices if one.fingerprint == arguments.fingerprint), None)
    if device is None:
        return {"error": "Could not find device with specified fingerprint", "code": -3}
    when, _, fault = device.fault.rpartition(":")
    if when in ("", arguments.command):
        device.fault = fault
    if device.fault == "hang":
        time.sleep(3600)
    if device.fault == "silence":
        sys.exit(1)
    if device.fault == "noise":
        return None
    if device.fault in TEXTS:
        return {"error": TEXTS[device.fault], "code": CODES.get(device.fault, -13)}
    if arguments.command == "getdescriptors":
        return device.descriptors(arguments.account)
    if arguments.command == "displayaddress":
        return device.address(arguments.desc)
    return device.signed(line)


def main() -> None:
    """Answer one request on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("--fingerprint")
    parser.add_argument("--chain", default="regtest", choices=CHAINS)
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("--account", type=int, default=0)
    parser.add_argument("--desc")
    parser.add_argument("command", nargs="?")
    arguments = parser.parse_intermixed_args()
    line = ""
    if arguments.stdin:
        arguments.command, _, line = sys.stdin.read().strip().partition(" ")
    with arguments.state.with_suffix(".log").open("a") as log:
        log.write(json.dumps({"command": arguments.command, "psbt": line}) + "\n")
    said = answer(arguments.state, arguments, line)
    sys.stdout.write("no answer at all" if said is None else json.dumps(said))


if __name__ == "__main__":
    main()
