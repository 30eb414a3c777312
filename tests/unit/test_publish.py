import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.publish.commitments import SaltedAddress, draw_salts, parse_salts
from custody.audit.publish.document import page_bytes, parse_page
from custody.audit.publish.facts import PageSources, amounts_of, open_facts
from custody.audit.publish.page import Disclosure
from custody.audit.reserves.statement import NOT_PROVEN
from custody.bitcoin.amount import sats
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, InvalidInput, Severity
from custody_cli.page_check import check_page, checkpoint_facts, read_page
from support.pages import (
    AMOUNTS,
    GENERATOR,
    MEDIAN_TIME,
    address,
    digest,
    sample_facts,
    sample_head,
    sample_site,
    sample_statement,
)
from support.reserves import CHALLENGE, PLACES, Reserve

STATEMENT = sample_statement(unproved=(2,))
SITE = sample_site(STATEMENT, heads=(sample_head(),))
COMMITTED = sample_site(STATEMENT, by_commitment=True)


def _write(folder: Path, site: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in site.items():
        (folder / name).write_bytes(content)
    return folder


def _codes(folder: Path, *given: object) -> list[tuple[str, str]]:
    findings = check_page(read_page(folder), given).findings  # type: ignore[arg-type]
    return [(str(one.severity), one.where) for one in findings]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _read(page: bytes) -> tuple[str, list[tuple[str, dict[str, str | None]]]]:
    parser = _Text()
    parser.feed(page.decode())
    return " ".join(" ".join(parser.words).split()), parser.tags


def test_facts_add_up_and_come_back_from_their_file() -> None:
    facts = sample_facts(STATEMENT, heads=(sample_head(),))
    assert facts.total == sum(AMOUNTS)
    assert facts.proved == sum(AMOUNTS) - AMOUNTS[2]
    assert [one.value for one in facts.addresses] == sorted(AMOUNTS, reverse=True)
    assert parse_page(page_bytes(facts)) == facts


def test_a_coin_in_two_statements_counts_once() -> None:
    other = sample_statement(amounts=AMOUNTS[:2])
    facts = open_facts(PageSources(GENERATOR, (STATEMENT, other), MEDIAN_TIME, ()))
    assert facts.total == sum(AMOUNTS)
    assert [one.name for one in facts.statements] == ["statement-1.json", "statement-2.json"]


def test_a_payment_speaks_for_what_it_spends_and_the_descriptor_for_the_rest_of_the_vault() -> None:
    reserve = Reserve()
    payment = reserve.payment_proof(reserve.payment(CHALLENGE))
    disclosed = sample_facts(reserve.statement(proofs=[payment]))
    assert sorted(one.proofs for one in disclosed.addresses) == [("payment",), ("vault",), ("vault",)]
    assert (disclosed.total, disclosed.proved) == (reserve.total, reserve.coins[0].value)
    text, _ = _read(sample_site(reserve.statement(proofs=[payment]))["index.html"])
    assert "lie on addresses of the same vault" in text
    assert "by the vault’s descriptor" in text
    hidden = sample_facts(reserve.statement(proofs=[payment], disclose=False))
    assert sorted(one.proofs for one in hidden.addresses) == [(), (), ("payment",)]


def test_every_kind_of_proof_is_rendered() -> None:
    reserve = Reserve()
    proofs = [reserve.bip127_proof(CHALLENGE), reserve.message_proof(CHALLENGE, PLACES[0])]
    text, _ = _read(sample_site(reserve.statement(proofs=proofs))["verify.html"])
    assert "knows BIP 127 and BIP 322 can" in text


def test_statements_for_different_challenges_make_no_page() -> None:
    other = replace(STATEMENT, challenge=replace(STATEMENT.challenge, nonce=digest("another nonce")))
    with pytest.raises(CheckFailed, match="different challenges"):
        PageSources(GENERATOR, (STATEMENT, other), MEDIAN_TIME, ())


def test_a_checkpoint_of_another_network_makes_no_page() -> None:
    shown = checkpoint_facts("checkpoint-1.json", sample_head(Network.MAIN))
    with pytest.raises(CheckFailed) as caught:
        PageSources(GENERATOR, (STATEMENT,), MEDIAN_TIME, (shown,))
    assert caught.value.code is Code.NETWORK_MISMATCH


def test_a_checkpoint_of_another_vault_makes_no_page() -> None:
    shown = checkpoint_facts("checkpoint-1.json", sample_head())
    disclosed = replace(STATEMENT, vault_id=digest("another vault"))
    with pytest.raises(CheckFailed) as caught:
        PageSources(GENERATOR, (disclosed,), MEDIAN_TIME, (shown,))
    assert caught.value.code is Code.VAULT_MISMATCH


def test_facts_whose_amounts_do_not_add_up_are_refused() -> None:
    facts = sample_facts(STATEMENT)
    changed = page_bytes(facts).replace(
        f'"total_sats":{facts.total}'.encode(), f'"total_sats":{facts.total + 1}'.encode()
    )
    assert changed != page_bytes(facts)
    with pytest.raises(CheckFailed, match="do not add up"):
        parse_page(changed)


def test_the_page_says_number_block_date_and_limits_beside_it() -> None:
    text, _ = _read(SITE["index.html"])
    assert "328,424.63397223 BTC" in text
    assert "32,842,463,397,223 sat" in text
    assert "block 118" in text
    assert "1 January 2026, 20:00 UTC" in text
    for line in NOT_PROVEN:
        assert line in text
    assert "no signature speaks for it" in text
    assert text.index("What this number does not show") < text.index("Addresses")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for site in (SITE, COMMITTED):
        for name in ("index.html", "verify.html"):
            _, tags = _read(site[name])
            names = {tag for tag, _ in tags}
            assert not names & {"script", "link", "img", "iframe", "object", "form", "base", "video", "audio", "svg"}
            assert "url(" not in site[name].decode()
            assert "@import" not in site[name].decode()
            targets = [attributes["href"] or "" for tag, attributes in tags if tag == "a"]
            assert all(target.split("#")[0] in ("", *site) for target in targets), targets
            assert not any(key.startswith("on") for _, attributes in tags for key in attributes)
            policy = [one for tag, one in tags if tag == "meta" and one.get("http-equiv") == "Content-Security-Policy"]
            assert (policy[0]["content"] or "").startswith("default-src 'none'; style-src 'sha256-")


def test_a_page_of_seven_addresses_is_small() -> None:
    assert len(SITE["index.html"]) < 14_000
    assert len(SITE["verify.html"]) < 10_000


def test_rendering_is_deterministic() -> None:
    assert sample_site(STATEMENT, heads=(sample_head(),)) == SITE


def test_a_holder_cannot_write_html_into_the_page() -> None:
    site = sample_site(sample_statement(holder="<script>alert(1)</script>& 'co' \"ltd\""))
    text, tags = _read(site["index.html"])
    assert "script" not in {tag for tag, _ in tags}
    assert "<script>alert(1)</script>& 'co' \"ltd\"" in text


def test_sums_are_those_of_the_files() -> None:
    for line in SITE["SHA256SUMS"].decode().splitlines():
        found, name = line.split("  ")
        assert hashlib.sha256(SITE[name]).hexdigest() == found
    assert len(SITE["SHA256SUMS"].splitlines()) == len(SITE) - 1


def test_an_untouched_page_has_no_finding(tmp_path: Path) -> None:
    assert _codes(_write(tmp_path / "page", SITE)) == []


@pytest.mark.parametrize("name", sorted(SITE.keys() - {"page.json", "statement-1.json", "checkpoint-1.json"}))
def test_any_changed_digit_of_any_file_is_found(tmp_path: Path, name: str) -> None:
    folder = _write(tmp_path / "page", SITE)
    places = [found.start() for found in re.finditer(rb"[0-9]", SITE[name])]
    for place in places[:: max(1, len(places) // 12)]:
        content = bytearray(SITE[name])
        content[place] = content[place] ^ 1
        (folder / name).write_bytes(bytes(content))
        assert ("refuse", f"page:{name}") in _codes(folder), (name, place)


def test_a_total_changed_everywhere_but_in_the_statement_is_found(tmp_path: Path) -> None:
    # The forger renders a page of their own for a larger total, and keeps the real statement.
    forged = sample_site(
        sample_statement(amounts=(AMOUNTS[0] + 1, *AMOUNTS[1:]), unproved=(2,)), heads=(sample_head(),)
    )
    folder = _write(tmp_path / "page", forged)
    (folder / "statement-1.json").write_bytes(SITE["statement-1.json"])
    found = _codes(folder)
    assert ("refuse", "page:index.html") in found
    assert ("refuse", "page:page.json") in found


def test_a_missing_file_is_found_and_a_foreign_one_noted(tmp_path: Path) -> None:
    folder = _write(tmp_path / "page", SITE)
    (folder / "scan.txt").unlink()
    (folder / "robots.txt").write_text("User-agent: *\n")
    assert _codes(folder) == [("warn", "page:robots.txt"), ("refuse", "page:scan.txt")]


def test_a_page_without_its_statement_is_refused(tmp_path: Path) -> None:
    folder = _write(tmp_path / "page", SITE)
    (folder / "statement-1.json").unlink()
    with pytest.raises(InvalidInput, match=r"statement-1\.json"):
        check_page(read_page(folder))


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no public page"):
        read_page(tmp_path)


# Commitments


def test_a_page_of_commitments_tells_no_address_and_no_amount_of_one() -> None:
    everything = b"".join(COMMITTED.values()).decode()
    assert "scan.txt" not in COMMITTED
    assert not [name for name in COMMITTED if name.startswith("statement")]
    for number, amount in enumerate(AMOUNTS):
        assert address(number) not in everything
        # A short number stands in some hash by chance.
        assert amount < 10**8 or str(amount) not in everything
    assert "the custodian’s word" in everything


def test_a_page_of_commitments_is_not_counted_without_its_statements(tmp_path: Path) -> None:
    folder = _write(tmp_path / "page", COMMITTED)
    check = check_page(read_page(folder))
    assert not check.is_counted
    assert [(one.code, one.severity) for one in check.findings] == [(Code.PAGE_NOT_COUNTED, Severity.WARN)]


def test_a_page_of_commitments_is_held_against_the_statement_that_was_given(tmp_path: Path) -> None:
    folder = _write(tmp_path / "page", COMMITTED)
    assert _codes(folder, STATEMENT) == []
    other = sample_statement(amounts=AMOUNTS[:-1], unproved=(2,))
    assert ("refuse", "page:index.html") in _codes(folder, other)


def test_one_commitment_is_checked_with_printf_and_sha256sum_as_the_page_says() -> None:
    facts = sample_facts(STATEMENT, by_commitment=True)
    assert facts.disclosure is Disclosure.COMMITMENTS
    numbers = iter(range(100))
    salts = draw_salts(Network.REGTEST, amounts_of([STATEMENT]), lambda: digest(f"salt {next(numbers)}"))
    opened = salts.salted[3]
    text, _ = _read(COMMITTED["verify.html"])
    line = re.search(r"printf '[^']*' \| sha256sum", text)
    assert line is not None
    command = (
        line[0].replace("ADDRESS", opened.address).replace("AMOUNT", str(opened.value)).replace("SALT", opened.salt)
    )
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[0] in facts.commitments


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=8, unique=True))
def test_equal_amounts_and_addresses_with_other_salts_share_no_commitment(numbers: list[int]) -> None:
    made = {
        SaltedAddress(address(0), sats(5_000), digest(f"salt {number}")).commitment(Network.REGTEST)
        for number in numbers
    }
    assert len(made) == len(numbers)


def test_salts_come_back_from_their_file_and_serve_only_for_their_amounts() -> None:
    amounts = amounts_of([STATEMENT])
    salts = draw_salts(Network.REGTEST, amounts, lambda: digest("the same each time"))
    assert parse_salts(salts.to_bytes()) == salts
    salts.require_same(Network.REGTEST, amounts)
    more = {**amounts, address(0): sats(1)}
    with pytest.raises(Conflict) as caught:
        salts.require_same(Network.REGTEST, more)
    assert caught.value.code is Code.PAGE_SALTS_DIFFER


def test_a_file_of_salts_with_a_false_commitment_is_refused() -> None:
    salts = draw_salts(Network.REGTEST, amounts_of([STATEMENT]), lambda: digest("salt"))
    first = salts.salted[0].commitment(Network.REGTEST)
    with pytest.raises(InvalidInput, match="not that of its address"):
        parse_salts(salts.to_bytes().replace(first.encode(), digest("another").encode()))
