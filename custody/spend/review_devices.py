"""What hardware signers need in a PSBT, and the findings that name who fails without it.

The table was read from the devices' firmware and from HWI 3.2.0, not tried on devices; each
line says where. A missing field never makes a payment wrong, so these findings warn.
The global extended keys are compared here as well: one that contradicts the vault is a lie
that a device would build its picture of the quorum on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.keys import ExtendedKey
from custody.bitcoin.psbt import GlobalXpub, Psbt
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import TX, refuse, warn
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class DeviceNeed:
    """One field, who fails without it, how, and where that was read."""

    devices: tuple[str, ...]
    effect: str
    source: str


_ALL_SCREENS = (
    "Trezor",
    "KeepKey",
    "Ledger",
    "Coldcard",
    "BitBox02",
    "Jade",
    "Passport",
    "Keystone 3",
)

DEVICE_NEEDS: Mapping[Code, tuple[DeviceNeed, ...]] = {
    Code.GLOBAL_XPUBS_MISSING: (
        DeviceNeed(("Ledger",), "hands the file back unsigned", "HWI 3.2.0 hwilib/devices/ledger.py"),
        DeviceNeed(("BitBox02",), "does not find itself among the cosigners", "HWI 3.2.0 hwilib/devices/bitbox02.py"),
        DeviceNeed(("Keystone 3",), "refuses (xpub is empty)", "keystone3-firmware wrapped_psbt.rs"),
        DeviceNeed(("Trezor", "KeepKey"), "shows change as a payment", "HWI 3.2.0 hwilib/devices/trezor.py"),
    ),
    Code.DERIVATIONS_MISSING: (
        DeviceNeed((*_ALL_SCREENS, "SeedSigner", "Specter-DIY"), "does not find its key", "BIP 174, Signer"),
    ),
    Code.WITNESS_UTXO_MISSING: (
        DeviceNeed(("Digital Bitbox",), "stops with an error", "HWI 3.2.0 hwilib/devices/digitalbitbox.py"),
        DeviceNeed(
            ("signers that read no full previous transaction",),
            "can not compute what to sign",
            "BIP 174, PSBT_IN_WITNESS_UTXO",
        ),
    ),
    Code.WITNESS_SCRIPT_MISSING: (
        DeviceNeed((*_ALL_SCREENS, "SeedSigner", "Specter-DIY"), "does not know the quorum", "BIP 174, Signer"),
    ),
    Code.REDEEM_SCRIPT_MISSING: (
        DeviceNeed((*_ALL_SCREENS, "SeedSigner", "Specter-DIY"), "does not know the script", "BIP 174, Signer"),
    ),
    Code.CHANGE_METADATA_MISSING: (
        DeviceNeed(_ALL_SCREENS, "shows change as a payment", "BIP 174, PSBT_OUT_BIP32_DERIVATION"),
    ),
    Code.DATA_OUTPUT: (DeviceNeed(("BitBox02",), "refuses", "HWI 3.2.0 hwilib/devices/bitbox02.py"),),
}


def failing_devices(code: Code) -> str:
    """Return in words which devices fail for want of the field that `code` names."""
    return "; ".join(f"{', '.join(need.devices)}: {need.effect}" for need in DEVICE_NEEDS[code])


def missing_metadata(code: Code, where: str, message: str) -> Finding:
    """Return the warning for a field that devices will miss."""
    return warn(code, where, f"{message} ({failing_devices(code)})", "Ask for the file with all of its metadata.")


def global_xpub_findings(psbt: Psbt, vault: Vault) -> tuple[Finding, ...]:
    """Compare the file's global extended keys with the cosigners', and name those that are missing."""
    findings = [finding for xpub in psbt.global_xpubs if (finding := _judge_xpub(xpub, vault)) is not None]
    stated = {_material(xpub.key78) for xpub in psbt.global_xpubs}
    missing = [
        cosigner.name
        for cosigner in vault.cosigners
        if cosigner.key.key.chain_code + cosigner.key.key.public_key not in stated
    ]
    all_final = bool(psbt.inputs) and all(psbt_input.is_final for psbt_input in psbt.inputs)
    if missing and not all_final:
        message = f"the global extended keys of {', '.join(missing)} are missing"
        findings.append(missing_metadata(Code.GLOBAL_XPUBS_MISSING, TX, message))
    return tuple(findings)


def _judge_xpub(xpub: GlobalXpub, vault: Vault) -> Finding | None:
    for cosigner in vault.cosigners:
        own = cosigner.key.key
        if own.chain_code + own.public_key != _material(xpub.key78):
            continue
        if xpub.key78[:4] != vault.network.xpub_version or _metadata(xpub.key78) != _metadata(_bytes_of(own, vault)):
            return _mismatch(f"the global extended key of `{cosigner.name}` has another network, depth or number")
        if xpub.origin != cosigner.key.origin:
            return _mismatch(
                f"the global extended key of `{cosigner.name}` is said to come from `{xpub.origin.to_text()}`, "
                f"expected `{cosigner.key.origin.to_text()}`"
            )
        return None
    return _mismatch(f"a global extended key with origin `{xpub.origin.to_text()}` belongs to no cosigner")


def _mismatch(message: str) -> Finding:
    return refuse(Code.GLOBAL_XPUB_MISMATCH, TX, message)


def _bytes_of(key: ExtendedKey, vault: Vault) -> bytes:
    return key.to_bytes78(vault.network)


def _material(key78: bytes) -> bytes:
    """Chain code and public key: what derivation rests on."""
    return key78[13:]


def _metadata(key78: bytes) -> bytes:
    """Depth and child number; the parent's fingerprint enters nothing and some tools leave it empty."""
    return key78[4:5] + key78[9:13]
