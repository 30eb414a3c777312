"""`custody cosigner describe`: what a custodian says of the device that holds a key; and how a signer is shown."""

from collections.abc import Iterator
from dataclasses import dataclass

import click

from custody.audit.signer_findings import standing_registration
from custody.audit.signers import SignerRecord
from custody.errors import JsonValue
from custody.vault.device_profile import QrDialect
from custody.workflow.describe_cosigner import Said, describe_cosigner
from custody.workflow.office import Office
from custody.workflow.recorded_rehearsals import verified_signers
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.device_options import MODEL
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session
from custody_cli.steps import at_desk
from custody_hardware.device_profiles import load_profiles

_DIALECT = click.Choice([str(dialect) for dialect in QrDialect])


@dataclass(frozen=True, slots=True)
class ShownSigner:
    """What the journal says of one cosigner's device, as `cosigner list`, `describe` and `status` show it."""

    name: str
    record: SignerRecord
    is_registered: bool | None
    """None where the model keeps nothing, or is not known."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return everything that was described, whether it is registered and proven, and of what an alarm is."""
        said, alarm = self.record.description, self.record.open_mismatch
        return {
            "device": None if said is None else said.device,
            "firmware": None if said is None else said.firmware,
            "seed_firmware": None if said is None else said.seed_firmware,
            "custodian": None if said is None else said.custodian,
            "place": None if said is None else said.place,
            "qr_dialect": None if said is None else said.qr_dialect,
            "registered": self.is_registered,
            "proven": self.record.is_proven,
            "mismatch": None if alarm is None else alarm.what,
        }

    def words(self) -> str:
        """Return the device and who has it where, in one line."""
        said = self.record.description
        if said is None:
            return "device not described"
        words = [said.device + (f" {said.firmware}" if said.firmware else "")]
        words += [f"seed by {said.seed_firmware}"] if said.seed_firmware else []
        words += [text for text in (said.custodian, said.place) if text]
        return ", ".join(words)

    def standing(self) -> tuple[Line, ...]:
        """Return an open alarm, and of a described device what is to be done before its signature can be relied on."""
        lines: list[Line] = []
        alarm = self.record.open_mismatch
        if alarm is not None:
            told = f"its device gave another {alarm.what} than the vault's (journal entry {alarm.seq})"
            lines.append(Styled(f"ALARM {self.name}: {told}: find out why, and sign nothing with it", Style.BAD))
            lines.append(f"    It signs here again once `custody device check {self.name}` has passed.")
        if self.record.description is None:
            return tuple(lines)
        if self.is_registered is False:
            lines.append(Styled(f"UNREGISTERED {self.name}: the vault is not registered on its device", Style.CARE))
        if alarm is None and not self.record.is_proven:
            lines.append(
                Styled(f"UNPROVEN {self.name}: `custody device check` has not passed as it is now", Style.CARE)
            )
        return tuple(lines)


def shown_signers(office: Office) -> tuple[ShownSigner, ...]:
    """Return the vault's signers in its order."""
    profiles = profiles_of_workspace(office.workspace)
    signers = verified_signers(office.vault, office.state.signers)
    records = {one.name: signers.of(one.name) for one in office.vault.cosigners}
    return tuple(ShownSigner(name, record, standing_registration(record, profiles)) for name, record in records.items())


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody cosigner describe bo --device ledger --firmware 2.4.6 --custodian 'Bo Berg' --place Oslo",
        "custody cosigner describe cy --device coldcard-q --firmware 1.5.1Q --seed-firmware 1.5.1Q --qr-dialect bbqr",
        "custody cosigner describe bo --firmware 2.4.7",
        "custody cosigner describe bo --place ''",
    ),
)
@click.argument("name")
@click.option("--device", type=MODEL, help="Model; docs/devices has a page for each. Needed the first time.")
@click.option("--firmware", metavar="V", help="Version that runs on it; of a Ledger that of its Bitcoin app.")
@click.option("--seed-firmware", metavar="V", help="Version that made the seed: advisories go by it.")
@click.option("--custodian", metavar="TEXT", help="Who holds it.")
@click.option("--place", metavar="TEXT", help="Where it lies.")
@click.option("--qr-dialect", type=_DIALECT, help="What its camera reads, if not the model's own.")
@click.pass_obj
def describe(
    session: Session,
    name: str,
    device: str | None,
    firmware: str | None,
    seed_firmware: str | None,
    custodian: str | None,
    place: str | None,
    qr_dialect: str | None,
) -> Answer:
    """Record on which device a cosigner's key lies, who has it and where. What is left out stays as it was said.

    An empty text takes a word back. Exit 6 if the device can't sign for this vault.
    """
    said = Said(device, firmware, seed_firmware, custodian, place, qr_dialect)
    record, findings = at_desk(session, lambda desk: describe_cosigner(desk, name, said))
    shown = ShownSigner(name, record, standing_registration(record, load_profiles()))

    def lines() -> Iterator[Line]:
        yield f"{name}: {shown.words()}"
        yield from shown.standing()
        yield from finding_lines(findings)

    return Answer({"cosigner": name, **shown.to_json(), "findings": findings_json(findings)}, lines)
