"""Register a vault on a cosigner's device: over the bus, or by a file that its holder carries there.

Every device knows the vault by one name, which follows from the vault alone, so that people can
compare screens. What a device gives out (a token) is kept in the journal with whose device it is.
Registering again is allowed: it is a new entry, the newest counts.
Source: BIP 388 (policies and their HMAC); the limits of names stand in the device profiles.
"""

import re
from dataclasses import replace

from custody.codes import Code
from custody.errors import DeviceUnavailable, InvalidInput
from custody.ports import FoundDevice, Registration, SignerBus
from custody.vault.device_profile import DeviceProfile, RegistrationMethod
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import write_vault
from custody.vault.vault import Vault

SHORTEST_LIMIT = 15
"""Characters: what the device with the least room for a name (Jade) keeps."""

_ID_LENGTH = 6
_OTHER = re.compile(r"[^a-z0-9]+", re.ASCII)
_FILES = {
    "coldcard-mk3": VaultFormat.COLDCARD,
    "coldcard-mk4": VaultFormat.COLDCARD,
    "coldcard-q": VaultFormat.COLDCARD,
    "jade": VaultFormat.JADE,
    "keystone-3": VaultFormat.KEYSTONE,
    "passport": VaultFormat.PASSPORT,
    "seedsigner": VaultFormat.DESCRIPTOR,
    "specter-diy": VaultFormat.SPECTER_DIY,
}
"""The file that each model imports."""


def registration_name(vault: Vault, longest: int | None = None) -> str:
    """Return the name under which devices keep the vault: `[a-z0-9-]`, the vault's name and its id's beginning.

    At most `longest` characters where that is less than the shortest limit known.
    """
    room = min(SHORTEST_LIMIT, longest or SHORTEST_LIMIT) - _ID_LENGTH - 1
    begin = _OTHER.sub("-", vault.name)[: max(room, 0)].strip("-")
    return "-".join(part for part in (begin, vault.vault_id[:_ID_LENGTH]) if part)


def longest_name(profile: DeviceProfile | None, firmware: str | None) -> int | None:
    """Return how many characters of a name the device keeps, None where that is unknown."""
    limits = () if profile is None else profile.limits_of(firmware)
    return min((one.name_length for one in limits if one.name_length is not None), default=None)


def keeps_nothing(profile: DeviceProfile | None) -> bool:
    """Whether the device has no registration at all."""
    return profile is not None and profile.registration is RegistrationMethod.NONE


def register_over(bus: SignerBus, device: FoundDevice, vault: Vault, name: str) -> Registration:
    """Let the device register the vault; its holder compares every key on its screen.

    Raises:
        DeviceUnavailable: DEVICE_UNSUPPORTED where the bus or the device can't, DEVICE_ANSWER_INVALID where the
            device says that it registered under another name.
        CheckFailed: POLICY_HMAC_UNKNOWN.
    """
    registration = bus.register(device, vault, name)
    if registration.name != name:
        raise DeviceUnavailable(
            Code.DEVICE_ANSWER_INVALID,
            f"the device registered the vault as `{registration.name}`, asked for was `{name}`",
            advice="Look at the vaults on the device, delete the wrong one, and register again.",
        )
    return registration


def registration_file(vault: Vault, model: str, name: str) -> tuple[str, VaultFormat]:
    """Return the file that a device of `model` imports, and in which format, the vault named `name` in it.

    Raises:
        InvalidInput: UNKNOWN_FORMAT, the model imports no file that is known.
    """
    kind = _FILES.get(model)
    if kind is None:
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            f"no file is known that a device of the model `{model}` imports",
            advice="Leave --to out and register it by cable, or name the model that it is: "
            f"files are known for {', '.join(_FILES)}.",
        )
    return write_vault(replace(vault, name=name), kind), kind


def by_file(name: str) -> Registration:
    """Return the registration of a device that imported the file."""
    return Registration("file", name, None, None)
