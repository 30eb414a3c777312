"""`custody proposal export --to DIR`: a card for those who sign with devices."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from custody.errors import JsonValue
from custody.spend.card import CardDevice, CardFile, CardFileKind
from custody.workflow.export_card import CardExport, plan_card, write_card
from custody.workflow.office import decide_again
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proposal_screen import payment_lines, short_id
from custody_cli.session import Session
from custody_cli.system import surroundings_of
from custody_hardware.card_devices import card_device


def export_card(session: Session, named: str | None, folder: Path, cosigners: Sequence[str]) -> Answer:
    """Plan, journal that it leaves, write, and say what was written."""
    workspace = workspace_of(session)
    profiles = profiles_of_workspace(workspace)

    def device_of(described: str | None) -> CardDevice:
        return card_device(profiles, described)

    planned = decide_again(
        workspace, surroundings_of(session), lambda desk: plan_card(desk, folder, named, cosigners, device_of)
    )
    write_card(folder, planned)
    written: list[JsonValue] = [_file_json(one) for one in planned.files]
    json = {**planned.view.to_json(), "folder": str(folder), "files": written}
    return Answer(json, lambda: _lines(planned, folder))


def _file_json(one: CardFile) -> dict[str, JsonValue]:
    return {
        "cosigner": one.cosigner,
        "kind": str(one.kind),
        "file": one.name,
        "sha256": one.sha256,
        "bytes": len(one.content),
    }


def _lines(planned: CardExport, folder: Path) -> Iterator[Line]:
    yield Styled(f"Proposal {short_id(planned.view.proposal_id)} is on the card {folder}", Style.GOOD)
    yield from payment_lines(planned.view)
    cosigner = None
    for one in planned.files:
        if one.kind is CardFileKind.CHECKSUMS:
            continue
        if one.cosigner != cosigner:
            cosigner = one.cosigner
            yield ""
            yield Styled(f"for {cosigner}", Style.STRONG)
        yield f"  {one.name:<44} {len(one.content):>9} bytes  sha256 {one.sha256[:16]}…"
    yield ""
    for one in planned.files:
        if one.kind is CardFileKind.CHECKSUMS:
            yield f"checksums {one.name}   read it with `sha256sum -c` in that folder"
    yield ""
    yield f"NEXT   eject the card; when it comes back:  custody proposal add {folder}"
