"""The facts on the pages of docs/devices, made from the profiles. Run as a script, it writes them into the pages."""

from collections.abc import Iterator
from pathlib import Path

from custody.bitcoin.network import Network
from custody.vault.device_profile import DeviceProfile, Limits
from custody_hardware.device_profiles import MODELS, load_profiles

PAGES = Path(__file__).resolve().parents[2] / "docs" / "devices"
PAGE = PAGES / "README.md"
BEGIN, END = "<!-- facts: made from the profiles -->", "<!-- end of facts -->"


def tables() -> str:
    """Return all tables as Markdown."""
    profiles = [load_profiles()[model] for model in MODELS if model != "other"]
    return "\n".join(
        (*_abilities(profiles), "", *_demands(profiles), "", *_networks(profiles), "", *_advisories(profiles))
    )


def page_facts(model: str) -> str:
    """Return the facts of one model's page as Markdown, each with where it was read."""
    one = load_profiles()[model]
    lines = ["| fact | | read in |", "| --- | --- | --- |"]
    lines += [_row(name, value, one.sources[place]) for name, value, place in _facts(one)]
    if one.screen is not None and one.screen.lines:
        lines += ["", "What its screen shows before it signs, in this order:", ""]
        lines += [f"{number}. {words}" for number, words in enumerate(one.screen.lines, start=1)]
        lines += ["", f"Change is {one.screen.change} ({one.sources['screen.lines']})."]
    for advisory in one.advisories:
        ranges = "; ".join(str(some) for some in advisory.affected)
        about = "firmware that made the seed" if advisory.subject == "seed" else "firmware that runs"
        lines += ["", f"**Advisory `{advisory.name}`** ({about}: {ranges}): {advisory.text}. {advisory.advice}"]
        lines += [f"Source: {advisory.source}."]
    return "\n".join(lines)


def _facts(one: DeviceProfile) -> Iterator[tuple[str, str, str]]:
    yield "goes by", ", ".join(one.transports) or "–", "transports"
    if one.refused is not None:
        yield "refused", one.refused, "refused"
    for place, limits in enumerate(one.limits):
        firmware = "" if len(one.limits) == 1 else f" ({limits.firmware})"
        at = f"limits[{place}]"
        yield f"keys{firmware}", _number(limits.cosigners), f"{at}.cosigners"
        yield f"inputs{firmware}", _number(limits.inputs), f"{at}.inputs"
        yield f"bytes of a PSBT{firmware}", _number(limits.psbt_bytes), f"{at}.psbt_bytes"
        yield f"letters of a name{firmware}", _number(limits.name_length), f"{at}.name_length"
    last, at = one.limits[-1], f"limits[{len(one.limits) - 1}].networks"
    networks = last.networks
    shown = "?" if networks is None else ", ".join(f"{net}: {_shown(one, networks.get(net))}" for net in Network)
    yield "addresses begin with", shown, at
    yield "registered", "?" if one.registration is None else str(one.registration), "registration"
    yield "all keys in the PSBT", str(one.needs.global_xpubs or "?"), "needs.global_xpubs"
    yield "previous transactions", str(one.needs.full_previous or "?"), "needs.full_previous"
    if one.screen is not None:
        yield "knows change", str(one.screen.change_check or "?"), "screen.change_check"
        yield "shows the fee", _word(one.screen.fee), "screen.fee"
        yield "shows the locktime", _word(one.screen.locktime), "screen.locktime"
    since = "" if one.proofs.bip322_since.first is None else f" ({one.proofs.bip322_since})"
    yield "signs BIP 322 messages", f"{one.proofs.bip322 or '?'}{since}", "proofs.bip322"
    yield "signs BIP 127 proofs", str(one.proofs.bip127 or "?"), "proofs.bip127"
    if one.card is not None:
        yield "writes on a card", ", ".join(f"`{name}`" for name in one.card.writes), "card.writes"
    if one.qr is not None:
        yield "QR codes", ", ".join(one.qr.dialects), "qr.dialects"


def _abilities(profiles: list[DeviceProfile]) -> Iterator[str]:
    yield "| device | by | keys | inputs | outputs | PSBT bytes | name | registered by |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for one in profiles:
        for limits in one.limits:
            yield _row(
                _link(one, limits),
                ", ".join(one.transports) or "–",
                *(
                    _number(value)
                    for value in (
                        limits.cosigners,
                        limits.inputs,
                        limits.outputs,
                        limits.psbt_bytes,
                        limits.name_length,
                    )
                ),
                "refused" if one.refused else f"{one.registration} ({', '.join(one.registration_routes) or 'nothing'})",
            )


def _demands(profiles: list[DeviceProfile]) -> Iterator[str]:
    yield "| device | all keys in the PSBT | previous transactions | gets | change known by | shows fee | locktime |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in profiles:
        needs, screen = one.needs, one.screen
        assert screen is not None, one.model
        yield _row(
            f"`{one.model}`",
            needs.global_xpubs or "?",
            needs.full_previous or "?",
            f"{needs.content}, answers trimmed" if needs.trims_answer else needs.content,
            screen.change_check or "?",
            _word(screen.fee),
            _word(screen.locktime),
        )


def _networks(profiles: list[DeviceProfile]) -> Iterator[str]:
    yield "| device | main | testnet4 | signet | regtest | files it writes | QR |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in profiles:
        networks = one.limits[-1].networks
        assert networks is not None, one.model
        writes = "–" if one.card is None else ", ".join(f"`{name}`" for name in one.card.writes)
        codes = "–" if one.qr is None else ", ".join(one.qr.dialects)
        yield _row(f"`{one.model}`", *(_shown(one, networks.get(net)) for net in Network), writes, codes)


def _advisories(profiles: list[DeviceProfile]) -> Iterator[str]:
    yield "| device | advisory | firmware | what | what to do |"
    yield "| --- | --- | --- | --- | --- |"
    for one in profiles:
        for advisory in one.advisories:
            said = f"{advisory.subject}: " + "; ".join(str(some) for some in advisory.affected)
            yield _row(f"`{one.model}`", f"`{advisory.name}`", said, advisory.text, advisory.advice)


def _link(one: DeviceProfile, limits: Limits) -> str:
    firmware = "" if len(one.limits) == 1 else f", {limits.firmware}"
    return f"[`{one.model}`]({one.model}.md) {one.name}{firmware}"


def _shown(one: DeviceProfile, shown: "object") -> str:
    if not isinstance(shown, dict):
        return "no"
    routes: dict[str, list[str]] = {}
    for route, prefix in shown.items():
        routes.setdefault(prefix, []).append(str(route))
    if len(routes) == 1 and set(shown) == set(one.transports):
        return next(iter(routes))
    return ", ".join(f"{prefix} by {' and '.join(by)}" for prefix, by in routes.items()) or "yes"


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _word(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "?"}[value]


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def write(path: Path, facts: str) -> None:
    """Put facts between the marks of a page."""
    page = path.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{facts}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    write(PAGE, tables())
    for name in MODELS:
        write(PAGES / f"{name}.md", page_facts(name))
