"""The command's frame: help, errors as text and JSON, exit codes, secrets, completion, and a real process."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, NotYet
from custody_cli.app import NOUNS, execute, root
from custody_cli.options import CustodyCommand, LazyNoun, NounGroup
from custody_cli.output import Answer, Style, Styled, print_error, print_lines
from support.cli import run
from support.vaults import create_arguments, make_vault

CANARY = "canary-5f1e"
MAIN = [sys.executable, "-c", "from custody_cli.app import main; main()"]


def _execute(command: click.Command, arguments: list[str]) -> tuple[int, str, str]:
    with CliRunner().isolation() as (stdout, stderr, _both):
        code = execute(arguments, command)
        sys.stdout.flush()
        sys.stderr.flush()
    return code, stdout.getvalue().decode(), stderr.getvalue().decode()


def _raising(error: BaseException) -> click.Command:
    def callback() -> Answer:
        raise error

    return CustodyCommand("raising", callback=callback)


def _all_commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root)
    for noun in root.list_commands(context):
        command = root.get_command(context, noun)
        assert command is not None
        yield noun, command
        if isinstance(command, click.Group):
            for verb, leaf in command.commands.items():
                yield f"{noun} {verb}", leaf


def test_root_help_names_every_noun_that_is_there() -> None:
    shown = run(["--help"])
    assert shown.exit_code == 0
    for noun in ("vault", "address"):
        assert NOUNS[noun].short_help in shown.stdout


@pytest.mark.parametrize(
    ("name", "command"), list(_all_commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_has_help_with_examples_and_takes_json(name: str, command: click.Command) -> None:
    shown = run([*name.split(), "--help"])
    assert shown.exit_code == 0
    assert "Examples:\n" in shown.stdout
    assert "custody " in shown.stdout.partition("Examples:")[2]
    assert isinstance(command, CustodyCommand | NounGroup | LazyNoun)
    assert "--json" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["vault", "nope"],
        ["vault", "show", "--nope"],
        ["vault", "create"],
        ["vault", "show", "extra"],
        ["vault"],
    ],
)
def test_usage_errors_are_exit_2_on_stderr(arguments: list[str]) -> None:
    plain, as_json = run(arguments), run([*arguments, "--json"])
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert (as_json.exit_code, as_json.stdout, as_json.error["error"]) == (2, "", "USAGE")
    assert set(as_json.error) == {"error", "message", "advice", "details"}


def test_without_a_command_the_help_is_shown_and_the_exit_is_2() -> None:
    shown = run([])
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "Commands:" in shown.stderr


def test_a_mistyped_noun_gets_a_suggestion() -> None:
    assert "'vault'" in run(["valut"]).stderr


def test_json_is_understood_at_every_place() -> None:
    for arguments in (
        ["--json", "vault", "show", "--vault", "/nonexistent"],
        ["vault", "--json", "show", "--vault", "/nonexistent"],
        ["vault", "show", "--vault", "/nonexistent", "--json"],
    ):
        refused = run(arguments)
        assert (refused.exit_code, refused.error["error"]) == (6, "VAULT_NOT_FOUND")


@pytest.mark.parametrize(
    "secret",
    [
        "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
        "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
    ],
)
def test_a90_a92_a_secret_argument_is_refused_before_it_can_be_repeated(secret: str) -> None:
    for arguments in (
        ["vault", "create", "d", secret],
        ["vault", "create", *secret.split()],
        ["vault", "--name=" + secret],
    ):
        refused = run([*arguments, "--json"])
        assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
        assert not any(word in refused.stdout + refused.stderr for word in (secret, secret[:20]))


def test_a90_a_secret_on_stdin_or_in_a_file_is_refused(tmp_path: Path) -> None:
    secret = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
    (tmp_path / "f").write_text(secret)
    base = ["--name", "x", "--network", "regtest", "--json"]
    for source, stdin in ((tmp_path / "f", None), ("-", secret)):
        refused = run(["vault", "import", source, tmp_path / "d", *base], stdin)
        assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
        assert "abandon" not in refused.stderr
    assert not (tmp_path / "d").exists()


def test_a91_a_bug_shows_type_and_place_and_nothing_else() -> None:
    for flags in ([], ["--json"]):
        code, stdout, stderr = _execute(_raising(ValueError(CANARY)), flags)
        assert (code, stdout) == (1, "")
        assert CANARY not in stderr
        assert "Traceback" not in stderr
        assert "ValueError" in stderr
        assert "custody_cli/app.py:" in stderr
    assert json.loads(stderr)["error"] == "INTERNAL_BUG"


def test_a91_an_error_of_the_system_shows_no_path() -> None:
    code, _stdout, stderr = _execute(_raising(PermissionError(13, "no", CANARY)), [])
    assert code == 7
    assert CANARY not in stderr
    assert "EACCES" in stderr


def test_an_interrupt_is_130() -> None:
    code, stdout, stderr = _execute(_raising(KeyboardInterrupt()), ["--json"])
    assert (code, stdout) == (130, "")
    assert json.loads(stderr[stderr.index("{") :])["error"] == "INTERRUPTED"


def test_an_input_that_ends_before_the_answer_is_exit_5() -> None:
    code, _stdout, stderr = _execute(_raising(EOFError()), [])
    assert code == NotYet.exit_code
    assert "CONFIRMATION_EMPTY" in stderr


@pytest.mark.parametrize("kind", CustodyError.__subclasses__())
def test_every_error_class_has_its_exit_code_and_both_forms(kind: type[CustodyError]) -> None:
    error = kind(Code.USAGE, "it is `x`", advice="Do y.", details={"items": ["a", "b"], "count": 2})
    code, stdout, stderr = _execute(_raising(error), [])
    assert (code, stdout) == (kind.exit_code, "")
    assert stderr.splitlines() == ["error: it is `x` [USAGE]", "Do y.", "  items: a, b", "  count: 2"]
    code, stdout, stderr = _execute(_raising(error), ["--json"])
    assert json.loads(stderr) == {
        "error": "USAGE",
        "message": "it is `x`",
        "advice": "Do y.",
        "details": {"items": ["a", "b"], "count": 2},
    }


def test_a95_hostile_text_can_not_act_on_the_terminal() -> None:
    hostile = "a\x1b]52;c;evil\x07\rb\u202ec\nerror: fake"
    error = CheckFailed(Code.VAULT_MISMATCH, hostile, advice="Stop.", details={"name": hostile})
    for flags in ([], ["--json"]):
        _code, _stdout, stderr = _execute(_raising(error), flags)
        assert not set(stderr) & {"\x1b", "\x07", "\r", "\u202e"}
    answer = CustodyCommand("answer", callback=lambda: Answer({"name": hostile}, lambda: [hostile, "end"]))
    _code, stdout, _stderr = _execute(answer, [])
    assert stdout.splitlines()[1:] == ["end"]
    _code, stdout, _stderr = _execute(answer, ["--json"])
    assert json.loads(stdout) == {"name": hostile}
    assert stdout.isascii()


def test_colour_only_reaches_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def __init__(self) -> None:
            self.text = ""

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = Terminal()
    print_lines([Styled("bad\x1b[31m", Style.BAD)], shown)  # type: ignore[arg-type]
    assert shown.text == "\x1b[1;31mbad\\u{001B}[31m\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    print_lines([Styled("bad", Style.BAD)], plain)  # type: ignore[arg-type]
    assert plain.text == "bad\n"


def test_an_answer_that_is_no_is_whole_on_stdout() -> None:
    answer = CustodyCommand("answer", callback=lambda: Answer({"ours": False}, lambda: ["not ours"], 3))
    assert _execute(answer, []) == (3, "not ours\n", "")
    assert _execute(answer, ["--json"]) == (3, '{\n  "ours": false\n}\n', "")


def _process(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MAIN, *arguments], capture_output=True, text=True, env={**os.environ, **environment}, timeout=60, check=False
    )


def test_a_real_process_answers(tmp_path: Path) -> None:
    created = _process([str(item) for item in create_arguments(make_vault(), tmp_path / "r")])
    assert (created.returncode, created.stderr) == (0, "")
    shown = _process(["--vault", str(tmp_path / "r"), "vault", "show", "--json"])
    assert json.loads(shown.stdout)["vault_id"] == make_vault().vault_id
    assert _process(["--version"]).stdout.startswith("custody ")


def test_no_core_dump_can_be_written() -> None:
    script = (
        "import resource, sys; from custody_cli.app import main\n"
        "sys.argv = ['custody', '--version']\n"
        "try: main()\n"
        "except SystemExit: print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines()[-1] == "(0, 0)"


def test_a_reader_that_leaves_early_causes_no_noise(tmp_path: Path) -> None:
    run(create_arguments(make_vault(), tmp_path / "r"))
    arguments = [*MAIN, "--vault", str(tmp_path / "r"), "address", "list", "--count", "3000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_leaves_early_makes_no_yes_of_a_no(tmp_path: Path, form: list[str]) -> None:
    run(create_arguments(make_vault(), tmp_path / "r"))
    foreign = make_vault(seed=2).first_address
    arguments = [*MAIN, "--vault", str(tmp_path / "r"), "address", "verify", foreign, "--count", "10", *form]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 3


def test_ctrl_c_is_130_without_a_traceback(tmp_path: Path) -> None:
    run(create_arguments(make_vault(), tmp_path / "r"))
    foreign = make_vault(seed=2).first_address
    # A shell that runs the tests in the background lets its children ignore Ctrl-C.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command = [MAIN[0], MAIN[1], listening + MAIN[2]]
    arguments = [*command, "--vault", str(tmp_path / "r"), "address", "verify", foreign, "--count", "1000000"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert "INTERRUPTED" in stderr
    assert "Traceback" not in stderr


def test_a100_a_killed_create_leaves_no_vault_or_a_whole_one(tmp_path: Path) -> None:
    arguments = create_arguments(make_vault(), Path("unused"))
    chance = random.Random(5)  # noqa: S311
    for attempt in range(6):
        target = tmp_path / f"r{attempt}"
        command = [*MAIN, *(str(target) if item == Path("unused") else str(item) for item in arguments)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(0.25 + chance.random() * 0.6)
            process.kill()
        if target.exists():
            assert run(["vault", "verify", "--vault", target]).exit_code == 0
        else:
            assert run(create_arguments(make_vault(), target)).exit_code == 0


@pytest.mark.parametrize(("words", "expected"), [("custody va", "vault"), ("custody vault comp", "compare")])
def test_shell_completion_works_with_lazy_nouns(words: str, expected: str) -> None:
    count = str(len(words.split()) - 1)
    completed = _process([], _CUSTODY_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert completed.returncode == 0
    assert f"plain,{expected}" in completed.stdout.split()


def test_the_help_imports_no_noun_and_nothing_heavy() -> None:
    script = (
        "import sys; from custody_cli.app import execute; execute(['--help'])\n"
        "heavy = [name for name in sys.modules if name.split('.')[0] in"
        " ('wallycore', 'embit', 'bitcoin', 'rich', 'sqlite3', 'yaml', 'pbk', 'cffi', 'btclib_secp256k1')"
        " or name in ('custody_cli.vault_commands', 'custody.vault', 'asyncio', 'http')]\n"
        "print(heavy, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr.strip() == "[]"


def test_several_reasons_are_a_list_on_a_screen_and_one_message_for_a_script(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = NotYet(Code.APPROVALS_MISSING, "not yet", points=["one more approval", "12 hours"], advice="Wait.")
    assert print_error(error, as_json=False) == 5
    assert capsys.readouterr().err == (
        "error: not yet [APPROVALS_MISSING]\n  - one more approval\n  - 12 hours\nWait.\n"
    )
    print_error(error, as_json=True)
    assert json.loads(capsys.readouterr().err)["message"] == "not yet: one more approval; 12 hours"
    print_error(NotYet(Code.APPROVALS_MISSING, "not yet", points=["12 hours"], advice="Wait."), as_json=False)
    assert capsys.readouterr().err == "error: not yet: 12 hours [APPROVALS_MISSING]\nWait.\n"
