from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from custody.workspace.journal_url import JournalUrl
from custody.workspace.settings import (
    BackendName,
    ChainSettings,
    JournalSettings,
    Settings,
    load_settings,
    read_password,
    save_settings,
)

CORE = ChainSettings(BackendName.CORE_RPC, url="http://127.0.0.1:8332", cookie_file=Path("/node/.cookie"))
DATABASE = JournalSettings(JournalUrl.parse("postgresql://db.example/reserve?sslmode=verify-full"), "5f" * 16)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(officer="ann"),
        Settings(chain=ChainSettings(BackendName.EMBEDDED)),
        Settings(officer="ann", chain=CORE),
        Settings(
            chain=ChainSettings(
                BackendName.CORE_RPC,
                url="http://[::1]:8332/",
                user="no",
                password_file=Path("~ odd: path #1"),
                wallet="010",
            )
        ),
        Settings(chain=ChainSettings(BackendName.SNAPSHOT, snapshot=Path("inbox/coins.json"))),
        Settings(journal=DATABASE),
        Settings(officer="ann", chain=CORE, journal=DATABASE),
    ],
)
def test_settings_read_back_as_they_were_saved(tmp_path, settings):
    path = tmp_path / "custody.yaml"
    save_settings(path, settings)
    assert load_settings(path) == settings
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_file_sets_nothing(tmp_path):
    assert load_settings(tmp_path / "custody.yaml") == Settings()


JOURNAL = "format: custody-settings/1\njournal:\n  url: postgresql:///reserve\n  "


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MALFORMED_DOCUMENT),
        ("officer: ann\n", Code.UNKNOWN_FORMAT),
        ("format: custody-settings/2\n", Code.UNKNOWN_FORMAT),
        ("format: custody-settings/1\noficer: ann\n", Code.UNKNOWN_FIELD),
        ("format: custody-settings/1\nofficer: Ann\n", Code.NAME_INVALID),
        ("format: custody-settings/1\nofficer: 7\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nofficer: !!python/none x\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nchain: core_rpc\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nchain:\n  backend: electrum\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nchain:\n  url: x\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nchain:\n  backend: snapshot\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\nchain:\n  backend: embedded\n  wallet: w\n", Code.UNKNOWN_FIELD),
        ("format: custody-settings/1\nchain:\n  backend: core_rpc\n  cookie_file: c\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\njournal: postgresql:///reserve\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\njournal:\n  url: postgresql:///reserve\n", Code.MALFORMED_DOCUMENT),
        ("format: custody-settings/1\njournal:\n  journal_id: a\n", Code.MALFORMED_DOCUMENT),
        (f"{JOURNAL}journal_id: 'a b'\n", Code.MALFORMED_DOCUMENT),
        (f"{JOURNAL}journal_id: a\n  password: x\n", Code.UNKNOWN_FIELD),
    ],
)
def test_refuses_what_it_does_not_know(tmp_path, text, code):
    path = tmp_path / "custody.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_settings(path)
    assert (caught.value.code, caught.value.exit_code) == (code, 6)


LOGIN = "format: custody-settings/1\nchain:\n  backend: core_rpc\n  url: {url}\n"


@pytest.mark.parametrize(
    "extra",
    [
        "",
        "  user: u\n",
        "  password_file: p\n",
        "  cookie_file: c\n  user: u\n",
        "  cookie_file: c\n  user: u\n  password_file: p\n",
    ],
)
def test_a_node_needs_exactly_one_way_to_log_in(tmp_path, extra):
    path = tmp_path / "custody.yaml"
    path.write_text(LOGIN.format(url="'http://localhost:8332'") + extra)
    with pytest.raises(InvalidInput):
        load_settings(path)


@pytest.mark.parametrize(
    "url",
    ["localhost:8332", "https://h:1", "http://h", "http://:1", "http://h:99999", "http://h:1/x", "http://h:1?x=1"],
)
def test_the_nodes_address_has_one_form(tmp_path, url):
    with pytest.raises(InvalidInput):
        ChainSettings(BackendName.CORE_RPC, url=url, cookie_file=Path("c"))


def test_secrets_in_the_settings_are_refused_and_not_repeated(tmp_path):
    path = tmp_path / "custody.yaml"
    path.write_text(LOGIN.format(url="'http://me:hunter2@localhost:8332'") + "  cookie_file: c\n")
    with pytest.raises(SecretRefused) as caught:
        load_settings(path)
    assert "hunter2" not in caught.value.message + caught.value.advice
    path.write_text(LOGIN.format(url="'http://localhost:8332'") + "  user: me\n  password: hunter2\n")
    with pytest.raises(InvalidInput) as unknown:
        load_settings(path)
    assert unknown.value.code is Code.UNKNOWN_FIELD
    assert "hunter2" not in unknown.value.message + unknown.value.advice


def test_a_password_comes_from_a_file_that_is_its_owners(tmp_path):
    path = tmp_path / "password"
    path.write_bytes(b"correct horse\n")
    path.chmod(0o644)
    with pytest.raises(InvalidInput) as caught:
        read_password(path)
    assert caught.value.code is Code.PATH_UNSAFE
    path.chmod(0o600)
    assert read_password(path) == "correct horse"


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff", b"a\0b"])
def test_a_password_file_holds_one_line(tmp_path, content):
    path = tmp_path / "password"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as caught:
        read_password(path)
    assert caught.value.code is Code.MALFORMED_DOCUMENT
    assert caught.value.__context__ is None or not isinstance(caught.value.__context__, UnicodeDecodeError)
