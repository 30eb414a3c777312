"""Which device profiles a workspace has: those of this version, and of other models what a restored backup brought."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from custody.audit.backup import ProfileSource
from custody.audit.signers import Signers
from custody.errors import JsonValue
from custody.vault.device_profile import DeviceProfile
from custody.workspace.kept_profiles import kept_profiles
from custody.workspace.layout import Workspace
from custody_hardware.device_profiles import load_profiles, profile_document


@dataclass(frozen=True, slots=True)
class SignerMenu:
    """How one cosigner's device is spoken to by QR code."""

    cosigner: str
    device: str
    is_known: bool
    """Whether there is a profile of the model."""
    dialects: tuple[str, ...]
    """The one to use first; empty where it has no camera or nothing is known."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return it as an answer shows it."""
        return {
            "cosigner": self.cosigner,
            "device": self.device,
            "known": self.is_known,
            "qr_dialects": [*self.dialects],
        }


def profiles_of_workspace(workspace: Workspace) -> Mapping[str, DeviceProfile]:
    """Return the profiles that commands in this workspace may use."""
    return load_profiles(kept_profiles(workspace))


def profile_source(workspace: Workspace) -> ProfileSource:
    """Return where a backup takes profiles from: a model that this version lost is not lost from the next backup."""
    kept = kept_profiles(workspace)

    def find(model: str) -> JsonValue:
        known = profile_document(model)
        return kept.get(model) if known is None else known

    return find


def menus_of(signers: Signers, profiles: Mapping[str, DeviceProfile]) -> Iterator[SignerMenu]:
    """Yield how each described device is spoken to; what its custodian said goes before what its model does."""
    for name, record in sorted(signers.records.items()):
        said = record.description
        if said is None:
            continue
        profile = profiles.get(said.device)
        codes = () if profile is None or profile.qr is None else profile.qr.dialects
        first = () if said.qr_dialect is None else (said.qr_dialect,)
        dialects = tuple(dict.fromkeys((*first, *map(str, codes))))
        yield SignerMenu(name, said.device, profile is not None, dialects)
