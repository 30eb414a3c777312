"""Every connected device with what it claims to be, what it can do in this vault, and what is wrong with it.

Nothing is proven here: model, firmware and fingerprint are the device's own or its driver's word.
"""

from dataclasses import dataclass

from custody.audit.signers import SignerRecord, Signers
from custody.errors import JsonValue
from custody.ports import BusReport, FoundDevice
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.device_facts import OTHER, Abilities, Profiles, abilities, firmware_of, model_of
from custody.workflow.device_findings import is_proven_as, is_registered
from custody.workflow.device_register import keeps_nothing


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One connected device."""

    found: FoundDevice
    model: str
    """Id of its profile, else the driver's name."""
    model_name: str
    """As people call it."""
    firmware: str | None
    claims: tuple[str, ...]
    """Cosigners whose fingerprint it tells: a claim until the key is compared."""
    registered: str | None
    """The name under which it knows the vault, where the journal says that it does."""
    needs_registration: bool
    proven: bool
    described_as: str | None
    """What its custodian said that it is, where that is another model."""
    abilities: Abilities

    def to_json(self) -> dict[str, JsonValue]:
        """Return the form of the list's `devices`."""
        found, problem = self.found, self.found.problem
        return {
            "model": self.model,
            "name": self.model_name,
            "fingerprint": found.fingerprint.hex() if found.fingerprint else None,
            "firmware": self.firmware,
            "driver": found.driver,
            "driver_model": found.model,
            "path": found.path,
            "label": found.label,
            "claims_cosigners": [*self.claims],
            "described_as": self.described_as,
            "registered_as": self.registered,
            "needs_registration": self.needs_registration,
            "proven": self.proven,
            "can": [*self.abilities.can],
            "cannot": [*self.abilities.cannot],
            "unknown": [*self.abilities.unknown],
            "notices": [*self.abilities.notices],
            "problem": None if problem is None else problem.to_json(),
        }


def list_devices(report: BusReport, vault: Vault | None, signers: Signers, profiles: Profiles) -> tuple[DeviceRow, ...]:
    """Describe what a look at the bus found; without a vault only what devices say of themselves."""
    return tuple(_row(found, vault, signers, profiles) for found in report.devices)


def shared_fingerprints(report: BusReport) -> frozenset[bytes]:
    """Return the fingerprints that more than one connected device tells: none of them can be used."""
    told = [one.fingerprint for one in report.devices if one.fingerprint is not None]
    return frozenset(one for one in told if told.count(one) > 1)


def _row(found: FoundDevice, vault: Vault | None, signers: Signers, profiles: Profiles) -> DeviceRow:
    claimed = _claimed(found, vault)
    record = signers.of(claimed[0].name) if len(claimed) == 1 else SignerRecord()
    model, firmware = model_of(found, record, profiles), firmware_of(found, record)
    profile = profiles.get(model)
    described = record.description.device if record.description is not None else None
    known = record.registration if is_registered(record, model) else None
    judged = Abilities((), (), ())
    if vault is not None and profile is not None:
        judged = abilities(profile, firmware, vault)
    return DeviceRow(
        found=found,
        model=model,
        model_name=profile.name if profile is not None and model != OTHER else (found.model or found.driver),
        firmware=firmware,
        claims=tuple(one.name for one in claimed),
        registered=None if known is None else known.name,
        needs_registration=bool(claimed) and known is None and not keeps_nothing(profile),
        proven=bool(claimed) and is_proven_as(record, model, firmware),
        described_as=described if described not in (None, model) else None,
        abilities=judged,
    )


def _claimed(found: FoundDevice, vault: Vault | None) -> tuple[Cosigner, ...]:
    if vault is None or found.fingerprint is None:
        return ()
    return tuple(one for one in vault.cosigners if one.fingerprint == found.fingerprint)
