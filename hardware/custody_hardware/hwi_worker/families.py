"""What HWI 3.2.0 does not do itself, or does otherwise than we need, one device family at a time.

Ledger: register a BIP 388 policy once, show and sign with the kept token. Coldcard: enrol the multisig
text. BitBox02: register the script configuration under our name. Jade: register under our name, and
show from that record. Trezor and KeepKey keep nothing.
Source: HWI 3.2.0, hwilib/devices; the protocols' own libraries inside it.
"""

import time
from collections.abc import Callable
from typing import Any

from .open_device import Client
from .request import Json, NotConfirmed, OldApp, Request

_POLL_S = 0.5
_HARDENED = 0x80000000


def ledger_register(client: Any, request: Request) -> Json:
    """Register the policy; its holder confirms the name and every key."""
    policy_id, token = _new_app(client).register_wallet(_policy(request))
    return {"policy_id": policy_id.hex(), "token": token.hex()}


def ledger_show(client: Any, request: Request) -> str:
    """Show an address of the registered policy."""
    token = bytes.fromhex(request.text("token"))
    branch, index = request.number("branch"), request.number("index")
    return str(_new_app(client).get_wallet_address(_policy(request), token, branch, index, True))


def ledger_sign(client: Any, request: Request) -> str:
    """Sign every input of the registered policy and file the signatures in the PSBT as it came."""
    from hwilib.psbt import PSBT

    asked, converted = PSBT(), PSBT()
    asked.deserialize(request.text("psbt"))
    converted.deserialize(request.text("psbt"))
    converted.convert_to_v2()
    token = bytes.fromhex(request.text("token"))
    for number, public_key, signature in _new_app(client).sign_psbt(converted, _policy(request), token):
        asked.inputs[number].partial_sigs[public_key] = signature
    return str(asked.serialize())


def _new_app(client: Any) -> Any:
    """Return the app's own client.

    Raises:
        OldApp: below 2.1 the app knows no policies.
    """
    from hwilib.devices.ledger_bitcoin.client import NewClient

    if not isinstance(client.client, NewClient):
        raise OldApp("below 2.1")
    return client.client


def _policy(request: Request) -> Any:
    from hwilib.devices.ledger_bitcoin.wallet import WalletPolicy

    vault = request.part("vault")
    return WalletPolicy(vault.text("name"), vault.text("template"), vault.texts("policy_keys"))


def coldcard_register(client: Any, request: Request) -> Json:
    """Send the multisig text and wait until the device counts it among its wallets.

    The device does not say that its holder refused; it only never gets the wallet.

    Raises:
        NotConfirmed: not there after the time that the request gives.
    """
    from hwilib.devices.ckcc.protocol import CCProtocolPacker

    vault = request.part("vault")
    fingerprints = [int.from_bytes(bytes.fromhex(key.text("fingerprint")), "little") for key in vault.parts("keys")]
    mixed = 0
    for one in fingerprints:
        mixed ^= one
    check = CCProtocolPacker.multisig_check(vault.number("threshold"), len(fingerprints), mixed)
    client.device.check_mitm()
    length, digest = client.device.upload_file(request.text("file").encode("ascii"))
    client.device.send_recv(CCProtocolPacker.multisig_enroll(length, digest), timeout=None)
    end = time.monotonic() + request.number("wait_s")
    while not client.device.send_recv(check, timeout=None):
        if time.monotonic() > end:
            raise NotConfirmed("not enrolled")
        time.sleep(_POLL_S)
    return {"policy_id": None, "token": None}


def bitbox02_register(client: Any, request: Request) -> Json:
    """Register the multisig under our name, unless the device knows it already."""
    from hwilib.devices import bitbox02

    vault = request.part("vault")
    kinds = bitbox02.bitbox02.btc.BTCScriptConfig.Multisig
    kind = kinds.P2WSH if vault.text("script") == "wsh" else kinds.P2WSH_P2SH
    _, with_path = client._multisig_scriptconfig(vault.number("threshold"), _origins(vault), kind)
    device, coin = client.init(), client._get_coin()
    if not device.btc_is_script_config_registered(coin, with_path.script_config, with_path.keypath):
        device.btc_register_script_config(
            coin=coin,
            script_config=with_path.script_config,
            keypath=with_path.keypath,
            name=vault.text("name"),
            xpub_type=bitbox02.bitbox02.btc.BTCRegisterScriptConfigRequest.AUTO_XPUB_TPUB,
        )
    return {"policy_id": None, "token": None}


def _origins(vault: Request) -> dict[bytes, Any]:
    from hwilib.key import ExtendedKey, KeyOriginInfo

    return {
        ExtendedKey.deserialize(key.text("xpub")).serialize(): KeyOriginInfo(
            bytes.fromhex(key.text("fingerprint")), _steps(key.text("path"))
        )
        for key in vault.parts("keys")
    }


def jade_register(client: Any, request: Request) -> Json:
    """Register the multisig record under our name; the same record again changes nothing."""
    vault = request.part("vault")
    signers = [
        {
            "fingerprint": bytes.fromhex(key.text("fingerprint")),
            "derivation": _steps(key.text("path")),
            "xpub": key.text("xpub"),
            "path": [],
        }
        for key in vault.parts("keys")
    ]
    variant = "wsh(multi(k))" if vault.text("script") == "wsh" else "sh(wsh(multi(k)))"
    network = client.NETWORKS[client.chain]
    client.jade.register_multisig(network, vault.text("name"), variant, True, vault.number("threshold"), signers)
    return {"policy_id": None, "token": None}


def jade_show(client: Any, request: Request) -> str:
    """Show an address of the record that we registered, not of a second one under HWI's own name."""
    vault = request.part("vault")
    paths = [[request.number("branch"), request.number("index")] for _ in vault.parts("keys")]
    network = client.NETWORKS[client.chain]
    return str(client.jade.get_receive_address(network, paths, multisig_name=vault.text("name")))


def nothing_to_register(_client: Any, _request: Request) -> Json:
    """Trezor and KeepKey compare the cosigners inside each transaction."""
    return {"policy_id": None, "token": None}


def _steps(path: str) -> list[int]:
    """Read `48h/1h/0h/2h`."""
    return [int(step.rstrip("h")) + (_HARDENED if step.endswith("h") else 0) for step in path.split("/") if step]


SHOW: dict[str, Callable[[Client, Request], str]] = {"ledger": ledger_show, "jade": jade_show}
SIGN: dict[str, Callable[[Client, Request], str]] = {"ledger": ledger_sign}
REGISTER: dict[str, Callable[[Client, Request], Json]] = {
    "ledger": ledger_register,
    "coldcard": coldcard_register,
    "bitbox02": bitbox02_register,
    "jade": jade_register,
    "trezor": nothing_to_register,
    "keepkey": nothing_to_register,
}
