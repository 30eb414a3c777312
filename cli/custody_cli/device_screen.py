"""What device commands show: a tired person before two screens must see what to compare and what comes next."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from custody.bitcoin.keys import KeyExpression, format_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.display import group_address
from custody.errors import Finding, JsonValue
from custody.ports import BusReport, FoundDevice
from custody.spend.rehearsal import Rehearsal
from custody.spend.review_model import BRANCH_LABELS
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody.workflow.device_address import ShownAddress
from custody.workflow.device_check import Registered, Rehearsed, Steps
from custody.workflow.device_list import DeviceRow, shared_fingerprints
from custody_cli.output import Answer, Line, Style, Styled, findings_json
from custody_cli.session import Session

_LABEL = 10
_WIDTH = 100
_REGISTERED = {
    Registered.KEPT: "registered before",
    Registered.MADE: "registered now",
    Registered.NOT_NEEDED: "keeps no vault, needs none",
    Registered.ELSEWHERE: "NOT in the journal: `custody device register`, unless the signer's program sees to it",
}


def list_answer(
    bus_name: str, vault: Vault | None, report: BusReport, rows: Sequence[DeviceRow], *, verbose: bool
) -> Answer:
    """Return the list of connected devices."""
    twice = shared_fingerprints(report)
    json: dict[str, JsonValue] = {
        "bus": bus_name,
        "vault_id": vault.vault_id if vault is not None else None,
        "devices": [row.to_json() for row in rows],
        "ambiguous_fingerprints": [*sorted(one.hex() for one in twice)],
        "problems": findings_json(report.problems),
    }

    def lines() -> Iterator[Line]:
        if not rows:
            yield f"no device was found over {bus_name}"
        for row in rows:
            yield from _row_lines(row, vault, is_twice=row.found.fingerprint in twice, verbose=verbose)
        for problem in report.problems:
            yield Styled(f"{_driver_of(problem)}{problem.message} [{problem.code}]", Style.CARE)
            yield from _wrapped("", problem.advice)
        if not rows and not report.problems:
            yield "Plug it in, unlock it, open its Bitcoin app. Over SD card or QR codes no cable is needed."

    return Answer(json, lines)


def key_answer(key: KeyExpression, network: Network, cosigner: Cosigner | None) -> Answer:
    """Return a key that was read twice; alone on its line, to be copied."""
    text = key.to_text(network)
    json: dict[str, JsonValue] = {
        "key": text,
        "fingerprint": key.origin.fingerprint.hex(),
        "path": format_path(key.origin.path),
        "xpub": key.key.to_base58(network),
        "network": str(network),
        "cosigner": cosigner.name if cosigner is not None else None,
        "read_twice": True,
    }

    def lines() -> Iterable[Line]:
        yield text
        if cosigner is not None:
            yield Styled(f"the same twice, and the key that the vault has for {cosigner.name}", Style.GOOD)
        else:
            yield Styled("the same before and after the device was plugged in again", Style.GOOD)
            yield "NEXT   compare it with the device's own screen; then `custody vault create … --cosigner NAME=KEY`"

    return Answer(json, lines)


def say_what_to_compare(session: Session, cosigner: Cosigner, wanted: ShownAddress) -> None:
    """Tell the holder, before the device waits for them, what must stand on its screen."""
    session.talk(f"On the screen of {cosigner.name}'s device must stand, character by character:")
    session.talk(f"    {group_address(wanted.address)}")
    for other in wanted.on_screen:
        if other != wanted.address:
            session.talk(f"    or, where it has one test network for all: {group_address(other)}")
    session.talk("If one character differs, refuse on the device and raise the alarm. Else confirm there.")


def shown_answer(cosigner: Cosigner, shown: ShownAddress, *, key_was_compared: bool) -> Answer:
    """Return what a device was asked to show and what it said."""
    place = f"{BRANCH_LABELS[shown.branch]} {shown.index}"
    json: dict[str, JsonValue] = {
        "cosigner": cosigner.name,
        "address": shown.address,
        "branch": BRANCH_LABELS[shown.branch],
        "index": shown.index,
        "on_screen": [*shown.on_screen],
        "device_said": shown.answered,
        "verified": shown.answered is not None,
        "key_compared": key_was_compared,
    }

    def lines() -> Iterable[Line]:
        yield shown.address
        if shown.answered is None:
            yield Styled(f"{place}: UNVERIFIED, the device's program doesn't say what it showed", Style.CARE)
        else:
            same = "the same" if shown.answered == shown.address else f"the same script, as {shown.answered}"
            yield Styled(f"{place}: the device answers {same}", Style.GOOD)
        yield "What counts is its screen: a program between can forge the answer, not the screen."

    return Answer(json, lines)


def written_answer(cosigner: Cosigner, rehearsal: Rehearsal, path: Path, said_model: str | None) -> Answer:
    """Return that a rehearsal was written for a memory card or QR code."""
    again = f" --model {said_model}" if said_model else ""
    json: dict[str, JsonValue] = {
        "cosigner": cosigner.name,
        "rehearsal": rehearsal.number,
        "unsigned_txid": rehearsal.unsigned_txid,
        "file": str(path),
    }

    def lines() -> Iterable[Line]:
        yield f"wrote {path}: rehearsal {rehearsal.number} for {cosigner.name}; nothing can be spent by it"
        yield f"unsigned txid  {rehearsal.unsigned_txid}"
        yield "On the device: register the vault, sign the file, then let it show the vault's receive address 0."
        yield f"NEXT   custody device check {cosigner.name} --from FILE{again}   with what the device wrote"

    # The address is not printed: its end is asked for later, and must come from the device's screen.
    return Answer(json, lines)


def checked_answer(vault: Vault, cosigner: Cosigner, steps: Steps, rehearsed: Rehearsed) -> Answer:
    """Return a check that was passed, and how far the vault's keys are proven together."""
    found, signed = rehearsed.combinations, rehearsed.signed
    waiting = [one.name for one in vault.cosigners if one.name not in signed]
    json: dict[str, JsonValue] = {
        "cosigner": cosigner.name,
        "device": steps.model,
        "firmware": steps.firmware,
        "route": steps.route,
        "rehearsal": rehearsed.rehearsal.number,
        "unsigned_txid": rehearsed.rehearsal.unsigned_txid,
        "key_compared": steps.key_was_compared,
        "registered": str(steps.registered),
        "address_compared": steps.address_was_compared,
        "signed": [*signed],
        "waiting": [*waiting],
        "combinations_verified": found.verified,
        "combinations": found.of_vault,
        "kernel_verified": found.kernel_verified,
    }

    def lines() -> Iterable[Line]:
        firmware = f", firmware {steps.firmware}" if steps.firmware else ", firmware not told"
        yield Styled(f"{cosigner.name}: {steps.model}{firmware} passed its check by {steps.route}", Style.GOOD)
        yield f"{'KEY':<{_LABEL}}{'the same as the vault has' if steps.key_was_compared else 'proven by its signature'}"
        yield f"{'REGISTER':<{_LABEL}}{_REGISTERED[steps.registered]}"
        yield f"{'ADDRESS':<{_LABEL}}{'the same as ours' if steps.address_was_compared else 'NOT compared'}"
        yield f"{'SIGNATURE':<{_LABEL}}good on every input of rehearsal {rehearsed.rehearsal.number}"
        yield from _combination_lines(vault, rehearsed, waiting)

    return Answer(json, lines)


def _combination_lines(vault: Vault, rehearsed: Rehearsed, waiting: Sequence[str]) -> Iterator[Line]:
    found, count = rehearsed.combinations, len(rehearsed.signed)
    by = "by libbitcoinkernel" if found.kernel_verified else "by our engine alone: libbitcoinkernel is missing"
    if found.is_complete:
        words = f"all {count} keys, and all {found.of_vault} combinations of {vault.threshold}, verified {by}"
        yield Styled(f"{'QUORUM':<{_LABEL}}{words}", Style.GOOD)
        return
    words = f"{count} of {len(vault.cosigners)} keys, {found.verified} of {found.of_vault} combinations verified {by}"
    yield f"{'QUORUM':<{_LABEL}}{words}"
    yield f"{'NEXT':<{_LABEL}}custody device check {waiting[0]}   waiting: {', '.join(waiting)}"


def _row_lines(row: DeviceRow, vault: Vault | None, *, is_twice: bool, verbose: bool) -> Iterator[Line]:
    found = row.found
    fingerprint = found.fingerprint.hex() if found.fingerprint is not None else "locked  "
    firmware = f"firmware {row.firmware}" if row.firmware else "firmware not told"
    yield Styled(f"{fingerprint}  {row.model_name}, {firmware}", Style.STRONG)
    if found.problem is not None:
        yield Styled(f"{'':4}{'WRONG':<{_LABEL}}{found.problem.message} [{found.problem.code}]", Style.CARE)
        yield from _wrapped("", found.problem.advice)
    if is_twice:
        yield Styled(
            f"{'':4}{'WRONG':<{_LABEL}}two connected devices tell this fingerprint [DEVICE_AMBIGUOUS]", Style.CARE
        )
        yield from _wrapped("", "Unplug all but the one that you mean.")
    if vault is not None:
        yield from _vault_lines(row, vault)
    if verbose:
        yield from _driver_lines(found)


def _driver_of(problem: Finding) -> str:
    """Return whose problem it is; a missing library is everybody's."""
    if problem.code is Code.DEVICE_LIBRARY_MISSING:
        return ""
    return f"{problem.where.removeprefix('driver:')}: "


def _vault_lines(row: DeviceRow, vault: Vault) -> Iterator[Line]:
    if row.found.fingerprint is None:
        return
    if not row.claims:
        yield from _wrapped("CLAIMS", f"no cosigner of vault {vault.name} has this fingerprint")
    else:
        yield from _wrapped("CLAIMS", f"to be {' and '.join(row.claims)}: only its key, compared, proves that")
    if row.described_as is not None:
        yield from _wrapped("DIFFERS", f"its custodian described a {row.described_as}")
    if row.claims:
        name = row.claims[0]
        known = f"as {row.registered}" if row.registered else f"NOT in the journal: custody device register {name}"
        if row.registered or row.needs_registration:
            yield from _wrapped("REGISTER", known)
        yield from _wrapped("CHECKED", "yes, with this firmware" if row.proven else f"NO: custody device check {name}")
    judged = row.abilities
    for label, sentences in (("CAN", judged.can), ("CAN'T", judged.cannot), ("NOTICE", judged.notices)):
        for sentence in sentences:
            yield from _wrapped(label, sentence)
    if judged.unknown:
        yield from _wrapped("UNKNOWN", "; ".join(judged.unknown))


def _driver_lines(found: FoundDevice) -> Iterator[Line]:
    told = f"driver {found.driver}, model `{found.model}`, label `{found.label}`, at `{found.path}`"
    yield from _wrapped("DRIVER", told)


def _wrapped(label: str, text: str) -> list[Line]:
    first = f"{'':4}{label:<{_LABEL}}"
    rest = " " * len(first)
    return [*textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)]
