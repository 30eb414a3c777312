"""A cosigner's public key from its device: at the agreed path, asked twice, compared with the vault's.

Attack A113: another device answers with the wanted fingerprint. So the whole key (point and chain
code) decides. A new key is asked for again after the device was unplugged, so that a driver or
device that answers at random, or somebody between, is caught before the vault is built on it.
Source: BIP 48 (paths), BIP 380 (key expressions).
"""

from collections.abc import Callable

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import HARDENED, KeyExpression, KeyOrigin, KeyPath, format_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import DeviceUnavailable, InvalidInput
from custody.ports import FoundDevice, SignerBus
from custody.vault.cosigner import Cosigner, key_material
from custody.vault.vault import Vault
from custody.workflow.device_choose import choose_device
from custody.workflow.device_record import mismatch


def agreed_path(network: Network, script_type: ScriptType, account: int = 0) -> KeyPath:
    """Return the BIP 48 path of a cosigner's key, `48h/coin'/account'/script'`."""
    return tuple(step + HARDENED for step in (48, network.coin_type, account, script_type.bip48_step))


def read_key(bus: SignerBus, device: FoundDevice, path: KeyPath, network: Network) -> KeyExpression:
    """Return the key that the device gives at `path`, with its origin; depth, last step and parent must fit.

    Raises:
        DeviceUnavailable: DEVICE_ANSWER_INVALID, and all that the bus raises.
    """
    key = bus.key(device, path, network)
    try:
        return KeyExpression(KeyOrigin(device.fingerprint or b"\0\0\0\0", path), key)
    except InvalidInput as wrong:
        raise DeviceUnavailable(
            Code.DEVICE_ANSWER_INVALID,
            f"the device's key is not one at the path {format_path(path)}: {wrong.message}",
            advice="Plug the device in anew and ask again; if it answers the same, don't use it.",
        ) from wrong


def read_key_twice(
    bus: SignerBus,
    fingerprint: bytes,
    path: KeyPath,
    network: Network,
    reconnect: Callable[[FoundDevice], None],
    *,
    cosigner: str | None = None,
) -> KeyExpression:
    """Return the device's key at `path`, the same before and after `reconnect` let its holder plug it in anew.

    `cosigner` is whose key it should be, where a vault has one.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH, the two answers differ.
        DeviceUnavailable: the device is absent, there are two, or what the bus raises.
    """
    device = choose_device(bus.look(network), fingerprint)
    first = read_key(bus, device, path, network)
    reconnect(device)
    second = read_key(bus, choose_device(bus.look(network), fingerprint), path, network)
    if first != second:
        raise mismatch(
            Code.DEVICE_KEY_MISMATCH,
            f"the device with fingerprint {fingerprint.hex()} gave two different keys at {format_path(path)}",
            cosigner=cosigner,
            what="key",
            expected=first.to_text(network),
            got=second.to_text(network),
        )
    return second


def require_same_key(vault: Vault, cosigner: Cosigner, answered: KeyExpression) -> None:
    """Demand that the device's key is the one that the vault has for `cosigner`: point and chain code.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH.
    """
    if key_material(answered.key) != key_material(cosigner.key.key):
        raise mismatch(
            Code.DEVICE_KEY_MISMATCH,
            f"the device has another key at {format_path(answered.origin.path)} than the vault's `{cosigner.name}`: "
            "another device with its fingerprint, another passphrase, or another seed",
            cosigner=cosigner.name,
            what="key",
            expected=cosigner.key.to_text(vault.network),
            got=answered.to_text(vault.network),
        )


def prove_device(bus: SignerBus, vault: Vault, cosigner: Cosigner) -> tuple[FoundDevice, bool]:
    """Return the one device of a cosigner, and whether its key was compared with the vault's.

    False where the bus's program can't ask for a key: then only the fingerprint says whose it is.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH. DeviceUnavailable: what choosing and the bus raise.
    """
    device = choose_device(bus.look(vault.network), cosigner.fingerprint)
    try:
        answered = read_key(bus, device, cosigner.key.origin.path, vault.network)
    except DeviceUnavailable as unable:
        if unable.code is not Code.DEVICE_UNSUPPORTED:
            raise
        return device, False
    require_same_key(vault, cosigner, answered)
    return device, True
