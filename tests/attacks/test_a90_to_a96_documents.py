"""Attacks on documents, secrets and screens, by their ids in the catalogue, at the level of the library."""

import csv
import io
import json
import traceback

import pytest

from custody.bitcoin.amount import parse_amount
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.canonical_json import parse_json
from custody.documents.display import csv_cell, escape
from custody.documents.names import check_name
from custody.documents.secret_gate import scan_arguments, scan_bytes, scan_text
from custody.errors import CustodyError, InvalidInput, SecretRefused
from support.secrets import extended, phrase, wif

HEX = "7c9e3f5a8b1d24e6079f3c5ba8d1e24f6a7b9c0d1e2f3a4b5c6d7e8f90a1b2c3"
CANARIES = {
    "xprv": extended("canary", version="0488ade4", private=True),
    "tprv": extended("canary", version="04358394", private=True),
    "zprv": extended("canary", version="04b2430c", private=True),
    "xprv, mistyped": extended("canary", version="0488ade4", private=True)[:-3] + "111",
    "WIF": wif("canary", version=0x80, compressed=True),
    "mnemonic": " ".join(phrase("canary")),
    "mnemonic, numbered": "\n".join(f"{n}. {word}" for n, word in enumerate(phrase("canary"), start=1)),
    "mnemonic, YAML list": "\n".join(f"- {word}" for word in phrase("canary")),
    "SeedQR": "192402220235174306311124037817700641198012901210",
    "hex seed": f"seed {HEX}",
    "BIP 38": "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",
    "codex32": "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw",
    "UR": "ur:crypto-seed/oeadgdstaslplabghydrpfmkbggufgludprfgmaotpiecffltnlpqdenos",
}


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_a90_a_secret_is_refused_before_anything_reads_it(canary: str) -> None:
    with pytest.raises(SecretRefused) as caught:
        scan_text(canary, place="stdin")
    assert caught.value.code is Code.SECRET_MATERIAL
    assert caught.value.exit_code == 6
    assert caught.value.details["place"] == "stdin"
    with pytest.raises(SecretRefused):
        scan_bytes(f"name: reserve\nnote: |\n{canary}\n".encode(), place="stdin")


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_a91_no_error_repeats_a_piece_of_the_secret(canary: str) -> None:
    pieces = [piece for piece in canary.split() if len(piece) > 5] + [canary[4:20], canary[-8:]]

    def answers() -> list[CustodyError]:
        caught = []
        for attempt in (
            lambda: scan_text(canary, place="file `a`"),
            lambda: scan_bytes(canary.encode(), place=f"file `{canary}`"),
            lambda: scan_arguments(["vault", "create", canary]),
            lambda: parse_json(f'{{"a": {canary}}}'.encode()),
            lambda: strict_yaml.load(f"a: [{canary}"),
            lambda: check_name(f"{canary}!"),
            lambda: parse_amount(canary),
        ):
            with pytest.raises(CustodyError) as info:
                attempt()
            caught.append(info.value)
        return caught

    for error in answers():
        shown = traceback.format_exception_only(error)
        told = "\n".join([error.message, error.advice, repr(error.args), json.dumps(error.details), *shown])
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
        # English words of a phrase may stand in a message by chance; only long pieces prove a leak.
        assert not [piece for piece in pieces if len(piece) > 7 and piece in told]


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_a91_the_frames_of_the_gate_hold_no_secret_when_it_raises(canary: str) -> None:
    for scan in (lambda text: scan_text(text, place="stdin"), lambda text: scan_bytes(text.encode(), place="stdin")):
        try:
            scan(canary)
        except SecretRefused as error:
            frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack[2:]
            assert frames
            assert not [frame for frame in frames if canary[4:20] in str(frame.locals)]
        else:
            pytest.fail("a secret passed")


def test_a92_a_secret_on_the_command_line_is_refused_by_position() -> None:
    with pytest.raises(SecretRefused) as caught:
        scan_arguments(["vault", "create", "dir", "--cosigner", f"alice={CANARIES['xprv']}"])
    assert caught.value.details["place"] == "argument 5"


YAML_ATTACKS = {
    "python object": "!!python/object/apply:os.system ['true']",
    "python name": "a: !!python/name:os.system",
    "local tag": "a: !thing b",
    "string tag": "a: !!str 1",
    "binary tag": "a: !!binary aGk=",
    "non-specific tag": "a: ! b",
    "billion laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "anchor alone": "a: &a b",
    "alias to nothing": "a: *b",
    "merge key": "a: {b: 1}\n<<: {c: 2}",
    "duplicate key": "threshold: 3\nthreshold: 1",
    "duplicate key, quoted": 'threshold: 3\n"threshold": 1',
    "duplicate key, escaped": 'threshold: 3\n"\\x74hreshold": 1',
    "duplicate key, flow": "{a: 1, a: 2}",
    "no": "a: no",
    "Yes": "a: Yes",
    "on": "a: on",
    "True": "a: True",
    "octal": "a: 010",
    "YAML 1.2 octal": "a: 0o10",
    "hex": "a: 0x10",
    "binary": "a: 0b11",
    "sexagesimal": "a: 1:30",
    "underscores": "a: 1_000",
    "float": "a: 1.5",
    "exponent": "a: 1e3",
    "not a number": "a: .nan",
    "infinity": "a: -.INF",
    "date": "a: 2024-01-01",
    "time": "a: 2024-01-01T00:00:00Z",
    "tilde": "a: ~",
    "Null": "a: Null",
    "nothing": "a:",
    "plus": "a: +1",
    "beyond 2^53": "a: 9007199254740992",
    "byte order mark": "\ufeffa: 1",
    "two documents": "a: 1\n---\na: 2",
    "directive": "%YAML 1.1\n---\na: 1",
    "tag directive": "%TAG ! tag:x,2000:\n---\na: 1",
    "key that is a list": "[a]: 1",
    "key that is a number": "1: a",
    "key that is a boolean": "true: a",
    "21 levels": "[" * 21 + "]" * 21,
    "a million levels": "[" * 900_000,
    "empty": "",
    "comment alone": "# nothing",
    "control character": "a: \x1b[31m",
    "lone surrogate": 'a: "\\ud800"',
    "beyond Unicode": 'a: "\\UFFFFFFFF"',
    "tab indentation": "a:\n\tb: 1",
}


@pytest.mark.parametrize("text", YAML_ATTACKS.values(), ids=YAML_ATTACKS)
def test_a93_yaml_with_a_second_meaning_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        strict_yaml.load(text)
    assert caught.value.code is Code.MALFORMED_DOCUMENT
    assert caught.value.exit_code == 6


def test_a93_yaml_larger_than_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        strict_yaml.load(b"a: " + b"b" * 1_000_000)
    assert caught.value.code is Code.FILE_TOO_LARGE


def test_a93_yaml_in_another_encoding_is_refused() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        with pytest.raises(InvalidInput):
            strict_yaml.load("a: b".encode(encoding))
    with pytest.raises(InvalidInput):
        strict_yaml.load(b"a: \xff")


SCREEN_ATTACKS = {
    "colour": "\x1b[32mCLEAN",
    "clipboard (OSC 52)": "\x1b]52;c;ZXZpbA==\x07",
    "C1 control": "\x9b31m",
    "overwrite the line": "refused\rclean  ",
    "fake verdict": "label\nverdict: clean",
    "backspace": "bad\b\b\bok",
    "right to left": "\u202egnp.exe",
    "isolate": "a\u2066b\u2069",
    "zero width": "ad\u200bmin",
    "byte order mark": "\ufeffa",
    "soft hyphen": "a\u00adb",
    "line separator": "a\u2028verdict: clean",
    "paragraph separator": "a\u2029b",
    "tag characters": "a\U000e0041",
    "variation selector": "a\ufe0f",
    "Hangul filler": "a\u3164",
    "no-break space": "a\u00a0b",
    "lone surrogate": "a\udc80",
    "unassigned": "a\u0378",
    "NUL": "a\0b",
}


@pytest.mark.parametrize("text", SCREEN_ATTACKS.values(), ids=SCREEN_ATTACKS)
def test_a95_what_acts_or_hides_on_a_screen_is_shown(text: str) -> None:
    shown = escape(text)
    assert shown.isprintable()
    assert "\\u{" in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("name", ["аlice", "alice\u200b", "ａlice", "al\u0131ce", "ALICE", "alice\n"])
def test_a95_names_that_look_alike_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)


def test_a95_digits_of_other_scripts_are_no_amount() -> None:
    for text in ("１btc", "١sat", "1٫5btc"):
        with pytest.raises(InvalidInput):
            parse_amount(text)


@pytest.mark.parametrize(
    "text",
    ['=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1", "＝1", "＋1", "－1", "＠x"],
)
def test_a96_no_cell_of_a_report_becomes_a_formula(text: str) -> None:
    sheet = io.StringIO()
    csv.writer(sheet).writerow([csv_cell(text), "next"])
    rows = list(csv.reader(io.StringIO(sheet.getvalue())))
    assert len(rows) == 1
    cell, following = rows[0]
    assert cell[0] == "'"
    assert following == "next"


def test_a96_a_label_opens_no_second_line_in_a_report() -> None:
    label = 'x","hash":"0"}\n{"kind":"approve"}\r\n| fake | row |'
    assert len(escape(label).splitlines()) == 1
    assert "\n" not in csv_cell(label)
