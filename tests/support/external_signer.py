"""A stand-in for a program that speaks Bitcoin Core's external-signer commands: `external_signer.py FOLDER …`.

It signs with the devices of the family `external` that lie on the bench in FOLDER, checks what it is
given only as far as such programs do, and can be told to misbehave. It imports nothing of custody.
"""

import argparse
import json
import re
import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path[0] = str(_TESTS)

from embit.psbt import PSBT  # noqa: E402

from support.hwi_doubles.core import HARDENED, Bench, Double, Wallet, address_of, path_text, steps_of  # noqa: E402
from support.hwi_doubles.psbt_signing import sign_psbt  # noqa: E402

_HRP = {"main": "bc", "regtest": "bcrt", "signet": "tb", "testnet4": "tb", "test": "tb"}
_DESCRIPTOR = re.compile(r"(sh\()?wsh\(sortedmulti\((\d+),(.*?)\)\)\)?#\w{8}")
_KEY = re.compile(r"\[([0-9a-f]{8})/([^\]]*)\](\w+)/(\d+)/(\d+)")


def main() -> None:
    arguments = _arguments()
    bench = Bench(Path(arguments.folder))
    if bench.driver_trouble("external") == "garbage":
        sys.stdout.write("Segmentation fault\n")
        return
    command, rest = arguments.command, arguments.rest
    if arguments.stdin:
        command, *rest = sys.stdin.read().split()
    if command == "enumerate":
        sys.stdout.write(json.dumps([_listed(one) for one in bench.of("external")]))
        return
    double = next((one for one in bench.of("external") if one.fingerprint.hex() == arguments.fingerprint), None)
    if double is None:
        answer: dict[str, object] = {"error": "Could not find device with specified fingerprint", "code": -3}
    elif double.trouble(command) == "refuse":
        answer = {"error": f"{command} canceled", "code": -14}
    elif command == "getdescriptors":
        answer = _descriptors(double, int(rest[rest.index("--account") + 1]))
    elif command == "displayaddress":
        answer = _shown(rest[rest.index("--desc") + 1], _HRP[arguments.chain])
    else:
        answer = {"psbt": _signed(double, rest[0]), "signed": True}
    sys.stdout.write(json.dumps(answer))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stdin", action="store_true")
    parser.add_argument("--fingerprint")
    parser.add_argument("--chain", default="main", choices=sorted(_HRP))
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    found = parser.parse_args(sys.argv[2:])
    found.folder = sys.argv[1]
    found.command, found.rest = (found.rest[0], found.rest[1:]) if found.rest else (None, [])
    return found


def _listed(double: Double) -> dict[str, object]:
    named = {"type": "external", "model": "stand_in", "path": double.path, "label": double.record["label"]}
    if double.record["locked"]:
        return {**named, "error": "Device is locked", "code": -12}
    return {**named, "fingerprint": double.fingerprint.hex()}


def _descriptors(double: Double, account: int) -> dict[str, object]:
    found = {}
    for name, step in (("receive", 0), ("internal", 1)):
        path = [84 + HARDENED, 1 + HARDENED, account + HARDENED]
        origin = f"[{double.fingerprint.hex()}/{path_text(path)}]{double.xpub(path)}"
        found[name] = [f"wpkh({origin}/{step}/*)#00000000"]
        if double.record["knows_multisig"]:
            path = [48 + HARDENED, *path[1:], 2 + HARDENED]
            origin = f"[{double.fingerprint.hex()}/{path_text(path)}]{double.xpub(path)}"
            found[name].append(f"wsh(sortedmulti(1,{origin}/{step}/*))#00000000")
    return found


def _shown(descriptor: str, hrp: str) -> dict[str, object]:
    whole = _DESCRIPTOR.fullmatch(descriptor)
    if whole is None:
        return {"error": "Unable to parse descriptor", "code": -7}
    keys = [_KEY.fullmatch(text) for text in whole[3].split(",")]
    assert all(keys)
    parts = [[key[1], path_text(steps_of(key[2])), key[3]] for key in keys if key is not None]
    last = keys[0]
    assert last is not None
    wallet = Wallet("", int(whole[2]), parts, whole[1] is not None)
    return {"address": address_of(wallet.script_pubkey(int(last[4]), int(last[5])), hrp)}


def _signed(double: Double, text: str) -> str:
    psbt = PSBT.from_string(text)
    keys = [
        [bytes(origin.fingerprint).hex(), path_text(origin.derivation), str(key.to_string())]
        for key, origin in psbt.xpubs.items()
    ]
    threshold = psbt.inputs[0].witness_script.data[0] - 80
    wallet = Wallet("", threshold, keys, psbt.inputs[0].redeem_script is not None)
    return str(PSBT.parse(sign_psbt(double, psbt.serialize(), wallet)).to_string())


main()
