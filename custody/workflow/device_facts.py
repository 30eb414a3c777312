"""What a profile says that a device can and can't do in one vault, and which device a driver means.

A profile is read knowledge, not a trial: what it doesn't know is said as unknown, and what rests on a
device's own word (model, firmware) is no more than that. Nothing here is trusted with money.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from custody.audit.signers import SignerRecord
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import DeviceUnavailable, InvalidInput, UsageError
from custody.ports import FoundDevice
from custody.vault.device_profile import (
    Advisory,
    AdvisorySubject,
    ChangeCheck,
    DeviceProfile,
    Limits,
    RegistrationMethod,
    Transport,
    models_for_driver,
)
from custody.vault.vault import Vault

Profiles = Mapping[str, DeviceProfile]
OTHER = "other"
"""The profile of any device of which nothing is claimed."""

_CHANGE = {
    ChangeCheck.REGISTERED: "tell change by the vault that is registered on it",
    ChangeCheck.TRANSACTION: "tell change by comparing it with the inputs of the same transaction",
    ChangeCheck.SCAN: "tells change only after its holder let it read the descriptor",
    ChangeCheck.PATH: "believes the path that a file claims for change: compare change with the review yourself",
    ChangeCheck.NEVER: "can't tell change from a payment: compare every output with the review yourself",
}
_TRUSTED_CHANGE = frozenset({ChangeCheck.REGISTERED, ChangeCheck.TRANSACTION})


@dataclass(frozen=True, slots=True)
class Abilities:
    """What is known of a device in one vault, in sentences for its holder."""

    can: tuple[str, ...]
    cannot: tuple[str, ...]
    unknown: tuple[str, ...]
    notices: tuple[str, ...] = ()
    """Published about this firmware, or about what may be its firmware, with what to do."""


def model_of(device: FoundDevice, record: SignerRecord, profiles: Profiles) -> str:
    """Return the id of the profile that fits: what was described, checked or registered, else what the driver means.

    `other` where the driver means several or none of them, and nothing was said yet.
    """
    meant = _models_of(device, profiles)
    for known in _known_models(record):
        if known in meant or not meant:
            return known
    return meant[0] if len(meant) == 1 else OTHER


def require_model(device: FoundDevice, record: SignerRecord, profiles: Profiles, said: str | None) -> str:
    """Return the model as `model_of` does, or as `said`; where a driver means several, somebody has to say it.

    Raises:
        UsageError: nobody said which of several it is.
        InvalidInput: DEVICE_MODEL_UNKNOWN, the driver found another device than the one that is said.
    """
    meant = _models_of(device, profiles)
    if said is not None and meant and said not in meant:
        raise InvalidInput(
            Code.DEVICE_MODEL_UNKNOWN,
            f"the driver found a {' or '.join(meant)}, not a {said}",
            advice="Look at the device; name the model that it is, or leave --model out.",
        )
    model = said or model_of(device, record, profiles)
    if model == OTHER and len(meant) > 1:
        raise UsageError(
            Code.USAGE,
            f"the driver can't tell which device it is: {', '.join(meant)}",
            advice=f"Name it, for example `--model {meant[0]}`; or once for all with `custody cosigner describe`.",
        )
    return model


def firmware_of(device: FoundDevice, record: SignerRecord) -> str | None:
    """Return the firmware that the device tells, else what its custodian described."""
    if device.firmware is not None:
        return device.firmware
    return record.description.firmware if record.description is not None else None


def abilities(profile: DeviceProfile, firmware: str | None, vault: Vault) -> Abilities:
    """Say what the device can and can't do for `vault`, over USB first."""
    can: list[str] = []
    cannot: list[str] = []
    unknown: list[str] = []
    limits = profile.limits_of(firmware)
    if profile.refused is not None:
        cannot.append(f"be recommended: {profile.refused}")
    if not limits:
        unknown.append(f"what firmware {firmware} can do: no profile covers it")
    for one in limits[:1] if len(limits) == 1 else ():
        _judge_limits(one, vault, can, cannot, unknown)
    if len(limits) > 1:
        unknown.append("its firmware, on which its limits depend")
    _judge_change(profile, can, cannot, unknown)
    if profile.registration is not None and profile.registration is not RegistrationMethod.NONE:
        routes = ", ".join(str(route) for route in profile.registration_routes)
        can.append(f"keep this vault, registered by {routes or 'a way that is not known'}")
    return Abilities(tuple(can), tuple(cannot), tuple(unknown), notices(profile, firmware))


def notices(profile: DeviceProfile, firmware: str | None) -> tuple[str, ...]:
    """Return what was published about this firmware, or about what may be its firmware, with what to do."""
    about_running = [one for one in profile.advisories if one.subject is AdvisorySubject.RUNNING]
    return tuple(
        f"{'' if one.affects(firmware) else _if_affected(one)}{one.text}. {one.advice}"
        for one in about_running
        if one.affects(firmware) is not False
    )


def require_network(profile: DeviceProfile, firmware: str | None, network: Network, name: str) -> None:
    """Refuse a rehearsal on a network that the device surely doesn't have.

    Raises:
        DeviceUnavailable: DEVICE_UNSUPPORTED.
    """
    limits = profile.limits_of(firmware)
    if limits and all(one.networks is not None and network not in one.networks for one in limits):
        raise DeviceUnavailable(
            Code.DEVICE_UNSUPPORTED,
            f"the device of `{name}` ({profile.name}) has no network `{network}`: it can't be rehearsed there",
            advice="Check it in a vault on a network that it has, on `main` before the first coin; "
            "a rehearsal is unspendable there too.",
        )


def warns_of_change(profile: DeviceProfile | None) -> bool:
    """Whether the holder must compare change by themselves, since the device doesn't verify it (A114)."""
    check = None if profile is None or profile.screen is None else profile.screen.change_check
    return check not in _TRUSTED_CHANGE


def _if_affected(advisory: Advisory) -> str:
    return f"if its firmware is {', or '.join(str(one) for one in advisory.affected)}: "


def _known_models(record: SignerRecord) -> tuple[str, ...]:
    said = (record.description, record.check, record.registration)
    return tuple(one.device for one in said if one is not None)


def _models_of(device: FoundDevice, profiles: Profiles) -> tuple[str, ...]:
    """Return what a driver may mean; a program of Bitcoin Core's contract tells a model and no driver."""
    meant = models_for_driver(profiles, device.driver, device.model)
    if meant or not device.model:
        return meant
    names = dict.fromkeys(name for one in profiles.values() if one.hwi is not None for name in one.hwi.names)
    return tuple(dict.fromkeys(model for name in names for model in models_for_driver(profiles, name, device.model)))


def _judge_limits(limits: Limits, vault: Vault, can: list[str], cannot: list[str], unknown: list[str]) -> None:
    count, script, network = len(vault.cosigners), vault.descriptor.script_type, vault.network
    if limits.cosigners is None:
        unknown.append("how many cosigners it takes")
    elif count > limits.cosigners:
        cannot.append(f"sign here: it takes {limits.cosigners} cosigners, the vault has {count}")
    else:
        can.append(f"sign with {count} cosigners; it takes up to {limits.cosigners}")
    if limits.scripts is None:
        unknown.append(f"whether it signs {script}")
    elif script not in limits.scripts:
        cannot.append(f"sign here: it doesn't know {script}")
    if limits.networks is None:
        unknown.append(f"how it writes addresses of {network}")
    elif network not in limits.networks:
        cannot.append(f"be used here: it has no network {network}")
    else:
        _judge_prefix(limits.networks[network], network, can, cannot)
    for most, what in ((limits.inputs, "inputs"), (limits.outputs, "outputs")):
        if most is not None:
            can.append(f"sign up to {most} {what} at once")


def _judge_prefix(routes: Mapping[Transport, str], network: Network, can: list[str], cannot: list[str]) -> None:
    if Transport.USB not in routes:
        others: Sequence[str] = [str(route) for route in routes]
        cannot.append(f"be used by cable: {', '.join(others) or 'no way is known'}")
        return
    prefix = routes[Transport.USB]
    differs = "" if prefix == network.hrp else f"… instead of {network.hrp}1…: `device show-address` prints both"
    can.append(f"show addresses, as {prefix}1{differs}")


def _judge_change(profile: DeviceProfile, can: list[str], cannot: list[str], unknown: list[str]) -> None:
    screen = profile.screen
    if screen is None or screen.change_check is None:
        unknown.append("how it knows change")
        return
    (can if screen.change_check in _TRUSTED_CHANGE else cannot).append(
        _CHANGE[screen.change_check]
        if screen.change_check in _TRUSTED_CHANGE
        else f"verify change: it {_CHANGE[screen.change_check]}"
    )
    if screen.fee is False:
        cannot.append("show the fee")
