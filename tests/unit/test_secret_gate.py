"""The secret gate, kind by kind: what it refuses, what it lets through, and that it repeats nothing."""

import base64
import contextlib
import time

import pytest

from custody.codes import Code
from custody.documents.secret_gate import SecretKind, find_secret, scan_arguments, scan_bytes, scan_text
from custody.errors import SecretRefused
from support.secrets import PRIVATE_VERSIONS, PUBLIC_VERSIONS, extended, phrase, wif

HEX32 = "7c9e3f5a8b1d24e6079f3c5ba8d1e24f6a7b9c0d1e2f3a4b5c6d7e8f90a1b2c3"
HEX16 = HEX32[:32]
WORDS12 = phrase("gate")
WORDS24 = phrase("gate", 24)


def numbered(words: list[str], form: str) -> str:
    return "\n".join(form.format(number, word) for number, word in enumerate(words, start=1))


PHRASES = {
    "spaces": " ".join(WORDS12),
    "many spaces and tabs": " \t  ".join(WORDS12),
    "one per line": "\n".join(WORDS12),
    "commas": ", ".join(WORDS12),
    "numbered with dots": numbered(WORDS12, "{}. {}"),
    "numbered with brackets": numbered(WORDS12, "{}) {}"),
    "numbered without a space": numbered(WORDS12, "{}{}"),
    "numbered in words": numbered(WORDS12, "word {}: {}"),
    "upper case": " ".join(WORDS12).upper(),
    "capitals": " ".join(word.capitalize() for word in WORDS12),
    "without spaces": "".join(WORDS12),
    "yaml list": "words:\n" + "\n".join(f"  - {word}" for word in WORDS12),
    "json list": '["' + '","'.join(WORDS12) + '"]',
    "json text with line breaks": '{"note": "' + "\\n".join(WORDS12) + '"}',
    "table": numbered(WORDS12, "| {} | {} |"),
    "html list": "<ol>" + "".join(f"<li>{word}</li>" for word in WORDS12) + "</ol>",
    "first four letters": " ".join(word[:4] for word in WORDS12),
    "full width": " ".join(WORDS12).translate({code: code + 0xFEE0 for code in range(0x61, 0x7B)}),
    "zero-width spaces inside": " ".join("\u200b".join(word) for word in WORDS12),
    "one word mistyped": " ".join([*WORDS12[:5], "qqzzy", *WORDS12[6:]]),
    "first word mistyped": " ".join(["qqzzy", *WORDS12[1:]]),
    "one word missing": " ".join(WORDS12[:11]),
    "in a sentence": "the words are " + " ".join(WORDS12) + " so keep them",
    "15": " ".join(phrase("a", 15)),
    "18": " ".join(phrase("b", 18)),
    "21": " ".join(phrase("c", 21)),
    "24": " ".join(WORDS24),
    "24 with two mistyped": " ".join([*WORDS24[:7], "qqzzy", *WORDS24[8:15], "zzyqq", *WORDS24[16:]]),
    "published, one word again and again": "abandon " * 11 + "about",
    "published, repeating": "legal winner thank year wave sausage worth useful legal winner thank yellow",
}


@pytest.mark.parametrize("text", PHRASES.values(), ids=PHRASES)
def test_refuses_a_recovery_phrase_in_any_form(text: str) -> None:
    assert find_secret(text) is SecretKind.MNEMONIC


@pytest.mark.parametrize("version", PRIVATE_VERSIONS)
def test_refuses_every_kind_of_extended_private_key(version: str) -> None:
    key = extended("gate", version=version, private=True)
    assert key[1:4] == "prv"
    for text in (
        key,
        f"[73c5da0a/48h/0h/0h/2h]{key}/<0;1>/*",
        f"wsh(sortedmulti(2,{key}/0/*,{key}/1/*))#abcdefgh",
        f"alice={key}",
        key[:-6],
        key[:60] + "0" + key[61:],
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        f"{key[:50]}\n  {key[50:]}",
        " ".join(key[start : start + 8] for start in range(0, len(key), 8)),
        "x" * 20 + key,
    ):
        assert find_secret(text) is SecretKind.EXTENDED_PRIVATE_KEY, text


@pytest.mark.parametrize("version", PUBLIC_VERSIONS)
def test_lets_every_kind_of_extended_public_key_through(version: str) -> None:
    key = extended("gate", version=version, private=False)
    assert key[1:4] == "pub"
    assert find_secret(f"wsh(sortedmulti(2,[73c5da0a/48h/0h/0h/2h]{key}/<0;1>/*,{key}/1/*))#abcdefgh") is None


@pytest.mark.parametrize("version", [0x80, 0xEF])
@pytest.mark.parametrize("compressed", [True, False])
def test_refuses_private_keys_in_wallet_import_format(version: int, compressed: bool) -> None:
    for number in range(20):
        key = wif(f"gate {number}", version=version, compressed=compressed)
        for text in (
            key,
            f"wpkh({key})",
            f"key: {key}, and more",
            key[:20] + ("A" if key[20] != "A" else "B") + key[21:],
            key[:-1],
            key + "x",
            " ".join(key[start : start + 4] for start in range(0, len(key), 4)),
        ):
            assert find_secret(text) is SecretKind.WIF_KEY, text


OTHERS = {
    "BIP 38": ("6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg", SecretKind.ENCRYPTED_KEY),
    "BIP 38 mistyped": ("6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGh", SecretKind.ENCRYPTED_KEY),
    "codex32": ("ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw", SecretKind.CODEX32),
    "codex32 share": ("MS12NAMEA320ZYXWVUTSRQPNMLKJHGFEDCAXRPP870HKKQRM", SecretKind.CODEX32),
    "codex32 in groups": ("ms10 test sxxx xxxx xxxx xxxx xxxx xxxx xxx4 nzvc a9cm czlw", SecretKind.CODEX32),
    "ur:crypto-seed": ("ur:crypto-seed/oeadgdstaslplabghydrpfmkbggufgludprfgmaotpiecffltnlpqdenos", SecretKind.SEED_UR),
    "ur:seed": ("UR:SEED/OYADGDSTASLPLABGHYDRPFMKBGGUFGLUDPRFGMAMDPWMOX", SecretKind.SEED_UR),
    "ur:crypto-bip39": (
        "ur:crypto-bip39/oeadlkiyjkisinihjzieihiojpjlkpjoihihjpjlieihihhskthsjeihiejz",
        SecretKind.SEED_UR,
    ),
    "SeedQR of 12": ("192402220235174306311124037817700641198012901210", SecretKind.SEED_QR),
    "SeedQR of 24": ("0115132511541278" * 6, SecretKind.SEED_QR),
    "SeedQR in groups": ("1924 0222 0235 1743 0631 1124 0378 1770 0641 1980 1290 1210", SecretKind.SEED_QR),
    "mini key": ("S6c56bnXQiBjk9mqSYE7ykVQ7NzrRy", SecretKind.MINI_KEY),
    "hex seed": (f"seed: {HEX32}", SecretKind.HEX_SEED),
    "hex seed of 16 bytes": (f"BIP39 entropy {HEX16}", SecretKind.HEX_SEED),
    "hex seed of 64 bytes": (f"master seed = {HEX32}{HEX32}", SecretKind.HEX_SEED),
    "hex key": (f"my key is {HEX32}", SecretKind.HEX_SEED),
    "hex key with 0x": (f"PRIVATE_KEY=0x{HEX32.upper()}", SecretKind.HEX_SEED),
    "hex key named behind": (f"{HEX32} is the private key", SecretKind.HEX_SEED),
    "hex key on the next line": (f"private key\n{HEX32}\n", SecretKind.HEX_SEED),
    "hex key one digit short": (f"secret: {HEX32[:-1]}", SecretKind.HEX_SEED),
    "hex key in pairs": ("priv: " + ":".join(HEX32[at : at + 2] for at in range(0, 64, 2)), SecretKind.HEX_SEED),
    "hex in camel case": (f'{{"secretKey": "{HEX32}"}}', SecretKind.WALLET_FIELD),
    "Electrum seed": ('{"seed": "encrypted/and/base64==", "seed_version": 17}', SecretKind.WALLET_FIELD),
    "Electrum seed, Python form": ("{'seed': 'd2a63f1c', 'x': 1}", SecretKind.WALLET_FIELD),
    "PEM": ("-----BEGIN EC PRIVATE KEY-----\nMHcC", SecretKind.KEY_FILE),
    "OpenSSH": ("-----BEGIN OPENSSH PRIVATE KEY-----", SecretKind.KEY_FILE),
    "PGP": ("-----BEGIN PGP PRIVATE KEY BLOCK-----", SecretKind.KEY_FILE),
    "SLIP 39": (
        "duckling enlarge academic academic agency result length solution fridge kidney coal piece deal husband erode "
        "duke ajar critical decision keyboard",
        SecretKind.SLIP39_SHARE,
    ),
}


@pytest.mark.parametrize(("text", "kind"), OTHERS.values(), ids=OTHERS)
def test_refuses_other_private_material(text: str, kind: SecretKind) -> None:
    assert find_secret(text) is kind
    assert find_secret(f"before\n{text}\nafter") is kind


PUBLIC = {
    "salary": "pay the army salary",
    "prose": "Every officer signs the payment with their own device before the secretary may release it, and the "
    "auditor reads the seed money report, which names no private person and holds no key at all.",
    "invoice": "invoice 2024-117, office rent for December, second half, approved by the board on 3 June",
    "the word xprv": "an xprv or tprv is never accepted, and neither is a zprv; xprv9s21ZrQH143K… is an example",
    "txid": HEX32,
    "named txid": f"txid: {HEX32}",
    "outpoint": f"secret santa gifts, txid {HEX32}:0",
    "vault id": f'{{"vault_id":"{HEX32}"}}',
    "seed hash": f"seed hash: {HEX32}",
    "sha256 of the key": f"key sha256 {HEX32}",
    "block hash": f"the master branch stops at block {HEX32}",
    "public key": f"public key: 02{HEX32}",
    "x-only public key": f"public_key: {HEX32}",
    "key, 33 bytes": f"key: 03{HEX32}",
    "chain code": f'{{"public_key":"02{HEX32}","chain_code":"{HEX32}"}}',
    "journal entry": f'{{"prev":"{"0" * 64}","hash":"{HEX32}","kind":"label_set","body":{{"label":"seed round"}}}}',
    "64 zeros": "0" * 64,
    "label": f'{{"type":"tx","ref":"{HEX32}","label":"seed round, private sale"}}',
    "addresses": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq 1BoatSLRHtKNngkdXEeobR76b53LETtpyT "
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "payments": "address,amount,reason\nbc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq,1.5btc,pay the army salary\n",
    "years": ", ".join(str(year) for year in range(2001, 2030)),
    "booleans": str([True] * 30).lower(),
    "long number": "9" * 48,
    "fingerprint of an SSH key": "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGLGDkoBkg3Wq1KpGmI",
    "SSH public key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGqKx4nW2PvQ0sWbqHj4rYhCZ0Kx1o1f2t3u4v5w6x7y alice",
    "public PEM": "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----",
    "certificate": "-----BEGIN CERTIFICATE-----",
    "no seed in a wallet file": '{"seed": "", "seed_type": "segwit", "seed_version": 17, "xprv": null}',
    "empty": "",
}


@pytest.mark.parametrize("text", PUBLIC.values(), ids=PUBLIC)
def test_lets_public_text_through(text: str) -> None:
    assert find_secret(text) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize(
    "text", [PHRASES["spaces"], PHRASES["one per line"], extended("e", version="04358394", private=True)]
)
def test_reads_secrets_in_any_encoding(text: str, encoding: str) -> None:
    with pytest.raises(SecretRefused):
        scan_bytes(f"note: {text}\n".encode(encoding), place="stdin")


def test_finds_keys_inside_binary_data() -> None:
    for key in (wif("b", version=0x80, compressed=True), extended("b", version="0488ade4", private=True)):
        # The byte before a string in a PSBT is its length: a letter or digit, stuck to the key.
        with pytest.raises(SecretRefused):
            scan_bytes(b"psbt\xff\x00" + bytes([len(key)]) + key.encode() + b"\x01\xfe", place="a.psbt")


def test_finds_the_raw_form_of_an_extended_private_key_in_a_psbt() -> None:
    raw = bytes.fromhex("04358394") + bytes(9) + b"c" * 32 + b"\0" + b"k" * 32
    psbt = b"psbt\xff\x01\x00\x4f\x01" + raw + b"\x04\x01\x02\x03\x04\x00"
    for data in (psbt, base64.b64encode(psbt), psbt.hex().encode()):
        with pytest.raises(SecretRefused):
            scan_bytes(data, place="a.psbt")
    with pytest.raises(SecretRefused):
        scan_text(base64.b64encode(psbt).decode(), place="stdin")


def test_names_kind_and_place() -> None:
    with pytest.raises(SecretRefused) as caught:
        scan_text(PHRASES["spaces"], place="file `a.txt`")
    error = caught.value
    assert error.code is Code.SECRET_MATERIAL
    assert error.exit_code == 6
    assert error.message == "file `a.txt` holds what looks like a recovery phrase (BIP 39)"
    assert error.details == {"kind": "MNEMONIC", "place": "file `a.txt`"}
    assert "burnt" in error.advice


def test_a_place_that_is_a_secret_itself_is_not_named() -> None:
    key = wif("place", version=0x80, compressed=True)
    with pytest.raises(SecretRefused) as caught:
        scan_text(key, place=f"file `{key}`")
    assert caught.value.details["place"] == "the input"
    assert key[:8] not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["vault", "create", wif("a", version=0x80, compressed=True)], "argument 3"),
        (["vault", "create", "--cosigner", f"a={extended('a', version='0488ade4', private=True)}"], "argument 4"),
        (["--private-key", HEX32], "argument 2"),
        (["vault", "import", " ".join(WORDS12)], "argument 3"),
        (["vault", "import", *WORDS12], "the arguments together"),
        (
            ["x", *OTHERS["SeedQR in groups"][0].split()],
            "the arguments together",
        ),
    ],
)
def test_refuses_secrets_on_the_command_line(arguments: list[str], place: str) -> None:
    with pytest.raises(SecretRefused) as caught:
        scan_arguments(arguments)
    assert caught.value.details["place"] == place


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--vault", "reserve", "proposal", "show", HEX32],
        [
            "proposal",
            "draft",
            "--to",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq=1.5btc",
            "--reason",
            "pay the army salary",
        ],
        ["psbt", "review", "a.psbt", "--vault-file", "vault.yaml", "--expect-txid", HEX32],
        ["journal", "verify", "--expect-head", HEX32],
        ["proposal", "approve", "--as", "secretary", HEX32],
    ],
)
def test_lets_ordinary_command_lines_through(arguments: list[str]) -> None:
    scan_arguments(arguments)


HOSTILE = {
    "one letter": b"a" * 2_000_000,
    "base58": b"5JcLK" * 400_000,
    "base58 in binary": b"\xff" + b"5JcLK" * 400_000,
    "prefixes": b"xprv " * 400_000,
    "words without end": b"path return " * 170_000,
    "groups": b"0000 " * 400_000,
    "field names": b'"seed" : ' * 200_000,
    "spaces after a field": b'"seed"' + b" " * 2_000_000,
    "zeros": bytes(2_000_000),
    "half a PEM": b"-----BEGIN " + b"A " * 1_000_000,
    "codex32 without end": b"ms1" + b"q -" * 600_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_costs_no_time(data: bytes) -> None:
    started = time.process_time()
    with contextlib.suppress(SecretRefused):
        scan_bytes(data, place="stdin")
    assert time.process_time() - started < 3
