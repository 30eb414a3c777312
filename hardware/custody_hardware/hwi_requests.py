"""What the worker is told of a vault, and whether a kept registration is this vault's on this device.

Everything is written by our own formats; the policy's id is computed here, so that neither a changed
record nor a device can put another policy in its place (A77).
"""

from dataclasses import replace

from custody.bitcoin.descriptor import ScriptType, add_checksum
from custody.bitcoin.keys import format_path
from custody.codes import Code
from custody.documents.names import check_name
from custody.errors import CheckFailed, DeviceUnavailable, JsonValue, NotYet
from custody.ports import Registration
from custody.vault.formats import bip388, coldcard
from custody.vault.formats.foreign_json import read_object
from custody.vault.policy_id import policy_id
from custody.vault.vault import Vault
from custody_hardware.hwi_errors import MAKERS

METHODS = {"ledger": "policy", "coldcard": "file", "bitbox02": "script-config", "jade": "record"}
"""How each driver's devices are registered; the others keep nothing."""

_NAME_LENGTHS = {"ledger": 64, "coldcard": 20, "bitbox02": 30, "jade": 15}
_TOKEN_BYTES = 32


def vault_part(vault: Vault, name: str) -> dict[str, JsonValue]:
    """Return the vault in the worker's words, under the name that the device knows it by."""
    template, keys = _policy(vault)
    is_nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return {
        "name": name,
        "script": "sh-wsh" if is_nested else "wsh",
        "threshold": vault.threshold,
        "template": template,
        "policy_keys": [*keys],
        "keys": [
            {
                "fingerprint": key.origin.fingerprint.hex(),
                "path": format_path(key.origin.path),
                "xpub": key.key.to_base58(vault.network),
            }
            for key in vault.descriptor.keys
        ],
    }


def multisig_text(vault: Vault, name: str) -> str:
    """Return the text that a Coldcard takes in, under `name`."""
    return coldcard.write(replace(vault, name=name))


def address_descriptor(vault: Vault, branch: int, index: int) -> str:
    """Return the descriptor of one address, keys with origin and both last steps, with checksum."""
    keys = ",".join(f"{key.to_text(vault.network)}/{branch}/{index}" for key in vault.descriptor.keys)
    body = f"wsh(sortedmulti({vault.threshold},{keys}))"
    is_nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    return add_checksum(f"sh({body})" if is_nested else body)


def require_name(driver: str, name: str) -> None:
    """Demand a name of ours that the device can keep.

    Raises:
        InvalidInput: NAME_INVALID. DeviceUnavailable: DEVICE_UNSUPPORTED, with the number.
    """
    check_name(name)
    longest = _NAME_LENGTHS.get(driver)
    if longest is not None and len(name) > longest:
        raise DeviceUnavailable(
            Code.DEVICE_UNSUPPORTED,
            f"the name `{name}` has {len(name)} characters, a {MAKERS[driver]} keeps {longest}",
            advice="Register the vault under a shorter name.",
        )


def own_policy_id(vault: Vault, name: str) -> bytes:
    """Return the id that a Ledger must give to this vault's policy under `name`."""
    return policy_id(name, *_policy(vault))


def require_registration(driver: str, vault: Vault, kept: Registration | None, *, shows: bool) -> Registration | None:
    """Demand a registration where the device needs one to show an address or to sign.

    Raises:
        NotYet: DEVICE_UNREGISTERED.
        CheckFailed: POLICY_HMAC_UNKNOWN, where what is kept is not of this vault.
    """
    needs = driver == "ledger" or (driver == "jade" and shows)
    if kept is None or (needs and kept.method != METHODS[driver]):
        if not needs:
            return kept
        raise NotYet(
            Code.DEVICE_UNREGISTERED,
            f"nothing is kept of a registration of this vault on the {MAKERS[driver]}",
            advice="Register the vault on it first: `custody device register`.",
        )
    if driver == "ledger":
        own = own_policy_id(vault, kept.name)
        if kept.policy_id != own.hex() or kept.token is None or len(kept.token) != _TOKEN_BYTES:
            raise _foreign(kept.name)
    return kept


def checked_policy(vault: Vault, name: str, found_id: bytes | None, token: bytes | None) -> Registration:
    """Return a Ledger's registration after comparing its id with our own.

    Raises:
        CheckFailed: POLICY_HMAC_UNKNOWN: the device registered something else.
    """
    if found_id != own_policy_id(vault, name) or token is None or len(token) != _TOKEN_BYTES or not any(token):
        raise CheckFailed(
            Code.POLICY_HMAC_UNKNOWN,
            "the Ledger registered another policy than this vault's, or gave no token of 32 bytes",
            advice="Do not use it: delete nothing, and find out what the device showed and what stood in between.",
        )
    return Registration("policy", name, found_id.hex(), token)


def _foreign(name: str) -> CheckFailed:
    return CheckFailed(
        Code.POLICY_HMAC_UNKNOWN,
        f"the kept registration `{name}` is of another policy than this vault's",
        advice="Find out who changed it; then register the vault on this device again with `custody device register`.",
    )


def _policy(vault: Vault) -> tuple[str, tuple[str, ...]]:
    document = read_object(bip388.write(vault).encode(), "the wallet policy")
    return document.text("descriptor_template"), document.texts("keys_info")
