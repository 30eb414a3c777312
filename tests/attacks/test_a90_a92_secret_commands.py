"""A90 to A92 through the command line: every kind of secret, at every door, and no option that asks for one."""

from pathlib import Path

import click
import pytest

from custody_cli.app import root
from custody_cli.session import Session
from support.cli import Result, run
from support.secrets import extended, phrase, wif

HEX = "7c9e3f5a8b1d24e6079f3c5ba8d1e24f6a7b9c0d1e2f3a4b5c6d7e8f90a1b2c3"
SECRETS = {
    "xprv": extended("canary", version="0488ade4", private=True),
    "tprv": extended("canary", version="04358394", private=True),
    "zprv": extended("canary", version="04b2430c", private=True),
    "xprv, mistyped": extended("canary", version="0488ade4", private=True)[:-3] + "111",
    "WIF": wif("canary", version=0x80, compressed=True),
    "mnemonic": " ".join(phrase("canary")),
    "mnemonic, numbered": "\n".join(f"{n}. {word}" for n, word in enumerate(phrase("canary"), start=1)),
    "mnemonic, YAML list": "\n".join(f"- {word}" for word in phrase("canary")),
    "hex seed": f"seed {HEX}",
    "BIP 38": "6PRVWUbkzzsbcVac2qwfssoUJAN1Xhrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg",
    "codex32": "ms10testsxxxxxxxxxxxxxxxxxxxxxxxxxx4nzvca9cmczlw",
    "UR": "ur:crypto-seed/oeadgdstaslplabghydrpfmkbggufgludprfgmaotpiecffltnlpqdenos",
}
everything = pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
NAMED = ["--name", "x", "--network", "regtest", "--json"]


def _assert_kept_out(folder: Path, result: Result, secret: str) -> None:
    assert (result.exit_code, result.stdout, result.error["error"]) == (6, "", "SECRET_MATERIAL")
    pieces = [piece for piece in [*secret.split(), secret[4:20], secret[-8:]] if len(piece) > 7]
    assert not [piece for piece in pieces if piece in result.stderr]
    assert not (folder / "reserve").exists()


@everything
def test_a90_a91_in_a_file(tmp_path: Path, secret: str) -> None:
    (tmp_path / "received").write_text(f"name: reserve\nnote: |\n{secret}\n")
    for command in (
        ["vault", "import", tmp_path / "received", tmp_path / "reserve", *NAMED],
        ["vault", "verify", "--vault-file", tmp_path / "received", "--json"],
    ):
        _assert_kept_out(tmp_path, run(command), secret)


@everything
def test_a90_a91_on_stdin(tmp_path: Path, secret: str) -> None:
    _assert_kept_out(tmp_path, run(["vault", "import", "-", tmp_path / "reserve", *NAMED], secret), secret)


@everything
def test_a90_a92_as_an_argument(tmp_path: Path, secret: str) -> None:
    for argument in (secret, f"--cosigner=ann={secret}", f"--{secret}"):
        _assert_kept_out(tmp_path, run(["vault", "create", tmp_path / "reserve", argument, *NAMED]), secret)


def _commands(command: click.Command, context: click.Context) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return [command]
    children = [command.get_command(context, name) for name in command.list_commands(context)]
    return [command, *(below for child in children if child is not None for below in _commands(child, context))]


def _parameters() -> list[click.Parameter]:
    context = click.Context(root, obj=Session())
    return [parameter for command in _commands(root, context) for parameter in command.get_params(context)]


def test_a92_no_option_takes_a_secret() -> None:
    options = {option for parameter in _parameters() for option in (*parameter.opts, *parameter.secondary_opts)}
    assert len(options) > 40
    asked = {"secret", "password", "passphrase", "seed", "mnemonic", "xprv", "private", "wif", "pin"}
    found = {option for option in options if set(option.strip("-").split("-")) & asked}
    # A trust pin is a file, and a node's password stands in one; the firmware that made a seed is a version.
    assert found == {"--password-file", "--pin", "--seed-firmware"}


@pytest.mark.parametrize("option", ["--password-file", "--pin", "--token-file"])
def test_a92_a_password_a_trust_pin_and_a_token_are_files(option: str) -> None:
    named = [one for one in _parameters() if isinstance(one, click.Option) and option in one.opts]
    assert {one.metavar for one in named} == {"FILE"}


def test_a92_no_option_takes_a_token_itself() -> None:
    options = {option for parameter in _parameters() for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {option for option in options if "token" in option} == {"--token-file", "--used-tokens", "--shared-token"}


def test_a92_no_environment_variable_takes_a_secret(tmp_path: Path) -> None:
    assert {parameter.envvar for parameter in _parameters() if parameter.envvar} == {"CUSTODY_VAULT"}
    refused = run(["vault", "show", "--json"], env={"CUSTODY_VAULT": SECRETS["xprv"]})
    assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
    assert SECRETS["xprv"][4:20] not in refused.stdout + refused.stderr
