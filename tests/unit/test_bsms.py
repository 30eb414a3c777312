"""BIP 129 in figures: tokens, keys, MACs, signatures and records, from the BIP's own samples and from made-up ones."""

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from custody.bitcoin.bip322 import to_sign
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import hash160
from custody.bitcoin.message import has_legacy_form, message_digest, verify_message
from custody.bitcoin.network import Network
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError
from custody.vault.bsms_cipher import encryption_key, is_sealed, record_mac, seal, unseal
from custody.vault.bsms_key_record import KeyRecord, read_key_record, record_key_text
from custody.vault.bsms_token import Encryption, Token
from custody.vault.formats import bsms
from custody.workflow.collect_keys import accept_records, complete_setup, open_setup
from custody.workflow.setup_terms import SetupTerms, read_request, read_setup, setup_text
from custody.workflow.start_setup import start_setup
from custody.workflow.used_tokens import note_use, require_unused
from custody_hardware.simulator import private_account_key, simulated_key
from custody_hardware.simulator_message import simulated_message_signature
from support.vaults import make_vault

# BIP 129, mode STANDARD, signer 1.
STANDARD = Token.from_text("a54044308ceac9b7")
RECORD = (
    "BSMS 1.0\na54044308ceac9b7\n"
    "[b7868815/48'/0'/0'/2']xpub6FA5rfxJc94K1kNtxRby1hoHwi7YDyTWwx1KUR3FwskaF6HzCbZMz3zQwGnCqdiFeMTPV3YneTGS2YQPiuNYsSvt"
    "ggWWMQpEJD4jXU7ZzEh\nSigner 1 key\n"
    "H8DYht5P6ko0bQqDV6MtUxpzBSK+aVHxbvMavA5byvLrOlCEGmO1WFR7k2wu42J6dxXD8vrmDQSnGq5MTMMbZ98="
)
MAC = "fbdbdb64e6a8231c342131d9f13dcd5a954b4c5021658fa5afcb3fc74dc82706"
CIPHERTEXT_START = "53f491cfd1431c292d922ea5a5dec3eb8ddaa6ed38ae109e7b040f0f23013e89"
EXTENDED = Token.from_text("108a2360adb302774eb521daebbeda5e")

TERMS = SetupTerms(
    "ab" * 16,
    "reserve",
    Network.REGTEST,
    ScriptType.WSH_SORTEDMULTI,
    2,
    ("ann", "bo"),
    Encryption.EXTENDED,
    False,
    "2030-01-01T00:00:00Z",
    "2030-01-02T00:00:00Z",
)
BEGIN = 1_893_456_000


class Nonces:
    """Nonces from a list, the last one again and again."""

    def __init__(self, *values: str) -> None:
        self._values = list(values)

    def nonce(self) -> str:
        return self._values.pop(0) if len(self._values) > 1 else self._values[0]


class At:
    """A clock that stands."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now


def _code(call: object) -> Code:
    assert callable(call)
    with pytest.raises(CustodyError) as refused:
        call()
    return refused.value.code


def test_the_bips_own_figures() -> None:
    assert encryption_key(STANDARD).hex() == "7673ffd9efd70336a5442eda0b31457f7b6cdf7b42fe17f274434df55efa9839"
    assert encryption_key(EXTENDED).hex() == "63dc1e57dfdc21fa11109d5088be01fb8078a383d2296925ad2b7612b7179777"
    assert record_mac(STANDARD, RECORD.encode()).hex() == MAC
    sealed = seal(STANDARD, RECORD.encode()).decode()
    assert sealed.startswith(MAC + CIPHERTEXT_START)
    assert unseal(STANDARD, sealed.encode()).decode() == RECORD
    record = read_key_record(RECORD.encode(), token=STANDARD, network=Network.MAIN)
    assert (record.description, record.to_text()) == ("Signer 1 key", RECORD)
    assert record_key_text(record.key, Network.MAIN) == record.key_text


@pytest.mark.parametrize(
    ("text", "value", "mode"),
    [
        ("00", "00", Encryption.NONE),
        ("0", "0000000000000000", None),
        ("A54044308CEAC9B7", "a54044308ceac9b7", Encryption.STANDARD),
        ("11907592390080907703", "a54044308ceac9b7", Encryption.STANDARD),
        ("21984902443033505423410071144203475550\n", "108a2360adb302774eb521daebbeda5e", Encryption.EXTENDED),
        ("a54044308ceac9b7\ndecimal 11907592390080907703\n", "a54044308ceac9b7", Encryption.STANDARD),
        ("a54044308ceac9b7\ndecimal 11907592390080907704\n", "", None),
        ("340282366920938463463374607431768211456", "", None),
        ("", "", None),
        ("0x00", "", None),
        ("a54044308ceac9", "", None),
        ("pipe acquire around border prosper swift", "", None),
        ("1\n2\n3", "", None),
    ],
)
def test_tokens(text: str, value: str, mode: Encryption | None) -> None:
    if mode is None:
        assert _code(lambda: Token.from_text(text)) is Code.BSMS_TOKEN_INVALID
        return
    token = Token.from_text(text)
    assert (token.hex, token.encryption) == (value, mode)
    assert Token.from_text(token.to_text()) == token
    assert value not in repr(token) or mode is Encryption.NONE


def test_a_token_has_a_mode_and_no_other_length() -> None:
    for value in (b"", b"\x01", b"\0" * 8, b"\0" * 16, b"\x01" * 7, b"\x01" * 32):
        assert _code(lambda value=value: Token(value)) is Code.BSMS_TOKEN_INVALID


def test_another_token_or_byte_is_a_wrong_mac() -> None:
    sealed = seal(STANDARD, b"BSMS 1.0")
    assert _code(lambda: unseal(EXTENDED, sealed)) is Code.BSMS_MAC
    assert _code(lambda: unseal(Token(b"\x01" * 8), sealed)) is Code.BSMS_MAC
    assert _code(lambda: unseal(Token(b"\0"), sealed)) is Code.BSMS_TOKEN_MISMATCH
    assert _code(lambda: unseal(STANDARD, b"BSMS 1.0\n")) is Code.BSMS_TOKEN_MISMATCH
    assert seal(Token(b"\0"), b"BSMS 1.0") == unseal(Token(b"\0"), b"BSMS 1.0") == b"BSMS 1.0"
    assert is_sealed(sealed.upper() + b"\n")
    assert not is_sealed(b"00" * 32)
    assert not is_sealed(b"00" * 60_000)


def test_the_digest_of_a_message_has_its_length_before_it() -> None:
    # Bitcoin Core's `signmessage` of an empty message and of one that needs three bytes of length.
    assert message_digest(b"").hex() == "80e795d4a4caadd7047af389d9f7f220562feb6196032e2131e10563352c4bcc"
    assert message_digest(b"a" * 252) != message_digest(b"a" * 253) != message_digest(b"a" * 65_536)
    key = simulated_key(1, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).key.public_key
    for length in (0, 252, 253, 300):
        text = "x" * length
        signature = simulated_message_signature(1, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, text)
        assert verify_message(key, text.encode(), signature)
        assert not verify_message(key, text.encode() + b"y", signature)


def test_a_high_s_counts_and_junk_is_no_signature() -> None:
    key = simulated_key(1, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).key.public_key
    text = simulated_message_signature(1, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, "hello")
    raw = base64.b64decode(text)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = raw[:33] + (order - int.from_bytes(raw[33:], "big")).to_bytes(32, "big")
    assert verify_message(key, b"hello", base64.b64encode(high).decode())
    zero, beyond = raw[:33] + bytes(32), raw[:1] + order.to_bytes(32, "big") + raw[33:]
    for bad in (zero, beyond, raw[:-1], b"\x1a" + raw[1:], b"\x2b" + raw[1:]):
        assert not verify_message(key, b"hello", base64.b64encode(bad).decode())
    for junk in ("", "é", "====", text + "!", text[:-2]):
        assert not has_legacy_form(junk)
        assert not verify_message(key, b"hello", junk)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("BSMS 1.0", "BSMS 1.1", Code.BSMS_VERSION),
        ("a54044308ceac9b7", "00", Code.BSMS_TOKEN_MISMATCH),
        ("Signer 1 key", "Signer 2 key", Code.BSMS_SIG),
        ("Signer 1 key", "x" * 81, Code.MALFORMED_DOCUMENT),
        ("Signer 1 key", "Signer\x1b[2J", Code.MALFORMED_DOCUMENT),
        ("Signer 1 key\n", "Signer 1 key\nmore\n", Code.MALFORMED_DOCUMENT),
        ("\nSigner 1 key", "", Code.MALFORMED_DOCUMENT),
        ("[b7868815/48'/0'/0'/2']", "", Code.ORIGIN_MISSING),
        ("/2']", "/1']", Code.XPUB_CHILDNUM_MISMATCH),
        ("xpub6FA5", "Zpub6FA5", Code.INVALID_XPUB),
    ],
)
def test_a_key_record_that_was_changed(old: str, new: str, code: Code) -> None:
    assert old in RECORD
    changed = RECORD.replace(old, new, 1).encode()
    assert _code(lambda: read_key_record(changed, token=STANDARD, network=Network.MAIN)) is code


def test_a_record_signed_in_bip322s_simple_form() -> None:
    from embit import ec

    key = simulated_key(3, Network.REGTEST, ScriptType.WSH_SORTEDMULTI)
    record = _record(EXTENDED, 3)
    script = b"\x00\x14" + hash160(key.key.public_key)
    unsigned = to_sign(record.signed_text.encode(), script)
    digest = SegwitV0Hasher(unsigned).digest(0, b"\x76\xa9\x14" + script[2:] + b"\x88\xac", 0)
    secret = private_account_key(3, Network.REGTEST, key.origin.path)
    signature = ec.PrivateKey(secret).sign(digest).serialize() + b"\x01"
    witness = b"\x02" + bytes([len(signature)]) + signature + b"\x21" + key.key.public_key
    for prefix in ("smp", ""):
        text = prefix + base64.b64encode(witness).decode()
        plaintext = f"{record.signed_text}\n{text}".encode()
        assert read_key_record(plaintext, token=EXTENDED, network=Network.REGTEST).key == key
    forged = plaintext.replace(b"\nann\n", b"\neve\n")
    assert _code(lambda: read_key_record(forged, token=EXTENDED, network=Network.REGTEST)) is Code.BSMS_SIG


def test_line_endings_of_mail_programs_change_nothing() -> None:
    for text in (RECORD + "\n", RECORD.replace("\n", "\r\n")):
        assert read_key_record(text.encode(), token=STANDARD, network=Network.MAIN).to_text() == RECORD


def test_a_key_record_is_for_its_network_and_for_an_extended_key() -> None:
    refused = _code(lambda: read_key_record(RECORD.encode(), token=STANDARD, network=Network.REGTEST))
    assert refused is Code.NETWORK_MISMATCH
    raw_key = "026d15412460ba0d881c21837bb999233896085a9ed4e5445bd637c10e579768ba"
    raw = f"BSMS 1.0\n00\n[59865f44/48'/0'/0'/2']{raw_key}\nSigner 1 key"
    raw += "\nH6DXgqkCb353BDPkzppMFpOcdJZlpur0WRetQhIBqSn6DFzoQWBtm+ibP5wERDRNi0bxxev9B+FIvyQWq0s6im4="
    token = Token(b"\0")
    assert (
        _code(lambda: read_key_record(raw.encode(), token=token, network=Network.MAIN)) is Code.DESCRIPTOR_UNSUPPORTED
    )


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_descriptor_records_come_back_to_the_same_vault(script_type: ScriptType) -> None:
    vault = make_vault(script_type=script_type)
    text = bsms.write(vault)
    assert text.split("\n")[2:] == ["/0/*,/1/*", vault.first_address, ""]
    assert "'/2'" in text or "'/1'" in text
    assert bsms.parse(text.encode(), vault.network)[0] == vault.descriptor


def test_setup_documents_say_the_same_after_reading() -> None:
    assert read_setup(setup_text(TERMS).encode()) == TERMS
    for old, new, code in (
        ("custody-setup/1", "custody-setup/2", Code.UPGRADE_NEEDED),
        ("custody-setup/1", "custody-vault/1", Code.UNKNOWN_FORMAT),
        ("threshold: 2", "threshold: 3", Code.THRESHOLD_INVALID),
        ("threshold: 2", "threshold: 2\nmore: 1", Code.UNKNOWN_FIELD),
        ("extended", "strong", Code.MALFORMED_DOCUMENT),
        ("  - bo", "  - ann", Code.NAME_INVALID),
        ("2030-01-02", "2029-01-02", Code.MALFORMED_DOCUMENT),
        ("  - bo", "  - Bo", Code.NAME_INVALID),
    ):
        assert old in setup_text(TERMS)
        changed = setup_text(TERMS).replace(old, new, 1).encode()
        assert _code(lambda changed=changed: read_setup(changed)) is code
    assert _code(lambda: read_request(setup_text(TERMS).encode())) is Code.UNKNOWN_FORMAT


def test_a_source_of_randomness_that_repeats_itself_is_found_out(tmp_path: Path) -> None:
    used = tmp_path / "used-tokens.yaml"
    start_setup(tmp_path / "first", TERMS, nonces=Nonces("11" * 16, "22" * 16, "33" * 16), used_tokens=used)
    again = SetupTerms(**{**_fields(TERMS), "setup_id": "cd" * 16})  # type: ignore[arg-type]
    stuck = Nonces("11" * 16, "22" * 16, "44" * 16)
    with pytest.raises(CheckFailed) as refused:
        start_setup(tmp_path / "second", again, nonces=stuck, used_tokens=used)
    assert refused.value.code is Code.BSMS_TOKEN_REUSED
    assert sorted(path.name for path in tmp_path.iterdir()) == [".used-tokens.yaml.lock", "first", "used-tokens.yaml"]


def _fields(terms: SetupTerms) -> dict[str, object]:
    return {name: getattr(terms, name) for name in terms.__slots__}


def test_no_token_is_handed_out_whose_decimal_form_reads_as_another(tmp_path: Path) -> None:
    unclear = 1_234_567_890_123_456
    assert not Token(unclear.to_bytes(8)).is_clear_in_decimal
    assert STANDARD.is_clear_in_decimal and EXTENDED.is_clear_in_decimal
    assert not Token((2**63).to_bytes(16)).is_clear_in_decimal
    terms = SetupTerms(**{**_fields(TERMS), "encryption": Encryption.STANDARD})  # type: ignore[arg-type]
    nonces = Nonces(f"{unclear:016x}" + "00" * 8, "22" * 16, "33" * 16, "44" * 16)
    start_setup(tmp_path / "setup", terms, nonces=nonces, used_tokens=tmp_path / "used.yaml")
    assert [token.hex for token in open_setup(tmp_path / "setup").tokens.values()] == ["22" * 8, "33" * 8]


def test_the_list_of_used_tokens_holds_no_token(tmp_path: Path) -> None:
    used = tmp_path / "used.yaml"
    note_use(used, (EXTENDED, Token(b"\0")), "one")
    before = used.read_text()
    note_use(used, (EXTENDED,), "one")
    assert used.read_text() == before
    assert EXTENDED.hex not in before
    assert encryption_key(EXTENDED).hex() not in before
    require_unused(used, EXTENDED, "one")
    require_unused(used, Token(b"\0"), "two")
    assert _code(lambda: require_unused(used, EXTENDED, "two")) is Code.BSMS_TOKEN_REUSED
    # One that is taken refuses all of them, and nothing is written.
    assert _code(lambda: note_use(used, (STANDARD, EXTENDED), "two")) is Code.BSMS_TOKEN_REUSED
    assert used.read_text() == before


def test_commands_at_once_lose_no_token_from_the_list(tmp_path: Path) -> None:
    used = tmp_path / "used.yaml"
    tokens = [Token(bytes([number]) * 16) for number in range(1, 17)]
    together = Barrier(len(tokens))

    def note(token: Token) -> None:
        together.wait()
        note_use(used, (token,), "one")

    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(note, tokens))
    for token in tokens:
        assert _code(lambda token=token: require_unused(used, token, "two")) is Code.BSMS_TOKEN_REUSED
    # One token for two setups at once: one of the two is refused.
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda setup_id: _noted(used, setup_id), ("three", "four")))
    assert sorted(answers) == [False, True]


def _noted(used: Path, setup_id: str) -> bool:
    try:
        note_use(used, (STANDARD,), setup_id)
    except CheckFailed:
        return False
    return True


def test_nothing_but_the_token_files_shows_a_token(tmp_path: Path) -> None:
    folder = tmp_path / "setup"
    start_setup(folder, TERMS, nonces=Nonces("11" * 16, "22" * 16, "33" * 16), used_tokens=tmp_path / "used.yaml")
    setup = open_setup(folder)
    for number, name in enumerate(TERMS.cosigners, start=1):
        sealed = seal(setup.tokens[name], _record(setup.tokens[name], number).to_text().encode())
        setup = accept_records(setup, [(name, sealed)], At(BEGIN))
    complete_setup(setup)
    telling = {
        path.parent.name
        for path in tmp_path.rglob("*")
        for token in setup.tokens.values()
        if path.is_file() and (token.hex in path.read_text() or str(int(token.hex, 16)) in path.read_text())
    }
    assert telling == {"tokens"}


def test_records_are_accepted_while_the_setup_is_open_and_verified_again_at_each_opening(tmp_path: Path) -> None:
    folder = tmp_path / "setup"
    start_setup(folder, TERMS, nonces=Nonces("11" * 16, "22" * 16, "33" * 16), used_tokens=tmp_path / "used.yaml")
    setup = open_setup(folder)
    record = _record(setup.tokens["ann"], 1)
    sealed = seal(setup.tokens["ann"], record.to_text().encode())
    assert _code(lambda: accept_records(setup, [(None, sealed)], At(BEGIN + 86_400))) is Code.BSMS_EXPIRED
    assert accept_records(setup, [(None, sealed)], At(BEGIN + 86_399)).missing == ("bo",)
    assert open_setup(folder).records == {"ann": record}
    kept = folder / "keys" / "ann-key.dat"
    changed = record.to_text().replace("\nann\n", "\neve\n").encode()
    kept.write_bytes(seal(setup.tokens["ann"], changed))
    assert _code(lambda: open_setup(folder)) is Code.BSMS_SIG
    kept.write_bytes(changed)
    assert _code(lambda: open_setup(folder)) is Code.BSMS_TOKEN_MISMATCH
    kept.write_bytes(seal(setup.tokens["bo"], record.to_text().encode()))
    assert _code(lambda: open_setup(folder)) is Code.BSMS_MAC
    assert _code(setup.vault) is Code.BSMS_INCOMPLETE


def test_another_record_of_the_same_cosigner_is_a_conflict(tmp_path: Path) -> None:
    folder = tmp_path / "setup"
    start_setup(folder, TERMS, nonces=Nonces("11" * 16, "22" * 16, "33" * 16), used_tokens=tmp_path / "used.yaml")
    setup = open_setup(folder)
    token = setup.tokens["ann"]
    first, other = (seal(token, _record(token, number).to_text().encode()) for number in (1, 4))
    setup = accept_records(setup, [("ann", first), ("ann", first)], At(BEGIN))
    assert _code(lambda: accept_records(setup, [("ann", other)], At(BEGIN))) is Code.FILE_EXISTS
    assert accept_records(setup, [(None, first)], At(BEGIN)).records == setup.records


def _record(token: Token, number: int) -> KeyRecord:
    key = simulated_key(number, Network.REGTEST, ScriptType.WSH_SORTEDMULTI)
    key_text = record_key_text(key, Network.REGTEST)
    message = f"BSMS 1.0\n{token.hex}\n{key_text}\nann"
    signature = simulated_message_signature(number, Network.REGTEST, ScriptType.WSH_SORTEDMULTI, message)
    return KeyRecord(token, key_text, key, "ann", signature)
