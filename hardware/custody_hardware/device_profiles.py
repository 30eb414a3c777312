"""The device profiles that come with the program: one YAML file per model, read when it is asked for.

A file is `custody-device/1`, explained in docs/formats/device-profile.md. Every fact is a mapping `{is: …, source: …}`,
so that none gets in without saying where it was read.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib.resources import files

from custody.codes import Code
from custody.documents.format_tag import require_format
from custody.documents.strict_yaml import load
from custody.errors import InvalidInput, JsonValue
from custody.vault.device_profile import DeviceProfile
from custody_hardware.device_profile_reader import read_profile

PROFILE_FORMAT = "custody-device/1"

MODELS = (
    "bitbox01",
    "bitbox02",
    "coldcard-mk3",
    "coldcard-mk4",
    "coldcard-q",
    "jade",
    "keepkey",
    "keystone-3",
    "ledger",
    "other",
    "passport",
    "seedsigner",
    "simulator",
    "specter-diy",
    "trezor-one",
    "trezor-safe",
    "trezor-t",
)
"""Ids of the models, in alphabetical order. `other` is any device of which nothing is claimed."""


def load_profiles(kept: Mapping[str, JsonValue] | None = None) -> Mapping[str, DeviceProfile]:
    """Return the profiles by model; each is read from its file when it is first looked up.

    `kept` are documents that a restored backup brought along (`custody.workspace.kept_profiles`): of them only models
    that this version does not know are taken, where they can be read, so that none of them changes what is known here.

    Raises (on look-up):
        InvalidInput: a file is not a profile.
        UpgradeNeeded: a file is of a newer format.
    """
    return _Profiles(_readable({} if kept is None else kept))


def profile_document(model: str) -> JsonValue:
    """Return a model's profile as a document, as a backup keeps it; None for a model that this version does not know.

    Raises:
        InvalidInput: the file is not YAML of the strict kind.
    """
    return load(profile_text(model)) if model in MODELS else None


def profile_text(model: str) -> str:
    """Return a model's profile as YAML text.

    Raises:
        InvalidInput: FILE_NOT_FOUND for an unknown model.
    """
    if model not in MODELS:
        raise InvalidInput(
            Code.FILE_NOT_FOUND, "there is no device profile of this name", advice=f"Name one of {', '.join(MODELS)}."
        )
    return files("custody_hardware").joinpath("devices", f"{model}.yaml").read_text(encoding="utf-8")


def profile_from_text(text: str) -> DeviceProfile:
    """Read a profile from YAML text.

    Raises:
        InvalidInput: it is not a profile.
        UpgradeNeeded: it is of a newer format.
    """
    return profile_from_document(load(text))


def profile_from_document(document: JsonValue) -> DeviceProfile:
    """Read a profile; raises as `profile_from_text`."""
    require_format(document, PROFILE_FORMAT, "a device profile", advice="Take the file from the program itself.")
    return read_profile(document)


@cache
def _packaged(model: str) -> DeviceProfile:
    """Read a profile that comes with the program, once in a process: the file is part of the program."""
    return profile_from_text(profile_text(model))


class _Profiles(Mapping[str, DeviceProfile]):
    """Every model, read on demand: a command that needs one doesn't pay for all."""

    def __init__(self, kept: Mapping[str, DeviceProfile]) -> None:
        self._kept = kept

    def __getitem__(self, model: str) -> DeviceProfile:
        return _packaged(model) if model in MODELS else self._kept[model]

    def __iter__(self) -> Iterator[str]:
        return iter((*MODELS, *self._kept))

    def __len__(self) -> int:
        return len(MODELS) + len(self._kept)


def _readable(kept: Mapping[str, JsonValue]) -> dict[str, DeviceProfile]:
    """Return the profiles of models unknown here that this version can read."""
    found: dict[str, DeviceProfile] = {}
    for model, document in kept.items():
        if model in MODELS:
            continue
        with suppress(InvalidInput):
            profile = profile_from_document(document)
            if profile.model == model:
                found[model] = profile
    return found
