"""The plan of the house, as tests: who may import whom, what the pure rooms lack, no floats near money."""

import ast
import sys
from collections.abc import Callable, Sequence

from support.source_tree import Module, modules, within

LAYERS = (
    ("custody.errors", "custody.codes"),
    ("custody_policies",),
    ("custody.documents",),
    ("custody.bitcoin",),
    ("custody.vault",),
    ("custody.spend",),
    ("custody.people",),
    ("custody.policy",),
    ("custody.audit",),
    ("custody.ports", "custody.atomic"),
    ("custody.chain", "custody.workspace"),
    ("custody.workflow",),
    ("custody_hardware",),
    ("custody_cli",),
)
"""From the ground up. A module imports its own layer and those before it."""

APART = (("custody.chain", "custody.workspace"), ("custody.workspace", "custody.chain"))
"""Neighbours on one layer that don't know each other."""

PURE = tuple(f"custody.{room}" for room in ("documents", "bitcoin", "vault", "spend", "people", "policy", "audit"))
MONEY = tuple(f"custody.{room}" for room in ("bitcoin", "vault", "spend", "audit"))

IMPURE_MODULES = frozenset(
    (
        "os", "socket", "time", "random", "secrets", "uuid", "pathlib", "subprocess", "tempfile", "shutil", "glob",
        "urllib", "http", "ssl", "asyncio", "threading", "multiprocessing", "sqlite3", "logging", "getpass", "fcntl",
        "signal", "select", "ctypes", "mmap", "fileinput", "locale", "zoneinfo",
    )
)  # fmt: skip
IMPURE_CALLS = frozenset(("open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"))
CLOCK_METHODS = frozenset(("now", "utcnow", "today"))

NETWORK_MODULES = frozenset(("socket", "http", "urllib", "ssl", "asyncio", "ftplib", "smtplib", "xmlrpc"))
NETWORK_HOMES = ("custody.chain", "custody.workspace.postgres_store")

HOMES = {
    "click": ("custody_cli",),
    "rich": ("custody_cli",),
    "btclib_secp256k1": ("custody.bitcoin.curve",),
    "wallycore": ("custody.bitcoin.second_opinion",),
    "bitcoin": ("custody.bitcoin.second_opinion",),
    "embit": ("custody.bitcoin.second_opinion", "custody_hardware.simulator"),
    "pbk": ("custody.bitcoin.kernel", "custody.chain.embedded"),
    "yaml": ("custody.documents.strict_yaml",),
    "rfc8785": ("custody.documents.canonical_json",),
    "cryptography": ("custody.documents.sshsig", "custody.vault.bsms"),
    "psycopg": ("custody.workspace.postgres_store",),
    "tzdata": ("custody.workflow.time_zones",),
    "hwilib": ("custody_hardware.hwi_worker",),
    "segno": ("custody_hardware", "custody_cli"),
    "zxingcpp": ("custody_hardware.qr_reader",),
    "PIL": ("custody_hardware.qr_reader",),
    "av": ("custody_hardware.qr_reader",),
    "jinja2": ("custody_cli",),
    "markupsafe": ("custody_cli.page_render",),
    "msgspec": ("custody.policy",),
}
"""Where each library may be imported: a module by that name, its submodules, or `name_*` beside it."""

NOT_PACKAGES = ("cli", "policies", "hardware", "tests", "docs", "support")
"""Folders that an editable install makes importable by accident."""

OWN = ("custody", "custody_cli", "custody_hardware", "custody_policies")

SECOND_OPINION_KNOWS = ("custody.errors", "custody.codes", "custody.bitcoin.network", "custody.bitcoin.second_opinion")


def for_every_module(rule: Callable[[Module], Sequence[str]]) -> Callable[[], None]:
    """Return one test for all modules: it reports everything that breaks the rule, each with its place."""

    def test() -> None:
        wrong = [broken for module in modules() for broken in rule(module)]
        assert len(modules()) > len(OWN)
        assert not wrong, "\n".join(wrong)

    test.__name__, test.__doc__ = rule.__name__, rule.__doc__
    return test


def layer_of(name: str) -> int | None:
    for height, rooms in enumerate(LAYERS):
        if any(within(name, room) for room in rooms):
            return height
    return None


def in_any(module: Module, rooms: tuple[str, ...]) -> bool:
    return any(within(module.name, room) for room in rooms)


@for_every_module
def test_imports_only_its_own_layer_and_those_below(module: Module) -> list[str]:
    height = layer_of(module.name)
    if height is None:
        if module.name != "custody":
            return [f"`{module.name}` stands on no layer; add it to LAYERS"]
        height = 0
    wrong = [
        f"{module.at(line)} imports {name}"
        for name, line in module.imports()
        if (below := layer_of(name)) is not None and below > height
    ]
    wrong += [
        f"{module.at(line)} imports {name}"
        for room, stranger in APART
        if within(module.name, room)
        for name, line in module.imports()
        if within(name, stranger)
    ]
    return wrong


@for_every_module
def test_third_parties_stay_in_their_homes(module: Module) -> list[str]:
    wrong = []
    for name, line in module.imports():
        package = name.split(".")[0]
        if package in sys.stdlib_module_names or package in OWN or not package:
            continue
        homes = HOMES.get(package, ())
        if not any(within(module.name, home) or module.name.startswith(f"{home}_") for home in homes):
            wrong.append(f"{module.at(line)} imports {package}, whose homes are {list(homes)}")
    return wrong


@for_every_module
def test_no_folder_is_imported_as_a_package(module: Module) -> list[str]:
    return [module.at(line) for name, line in module.imports() if name.split(".")[0] in NOT_PACKAGES]


@for_every_module
def test_sockets_live_at_the_chain_and_the_remote_store(module: Module) -> list[str]:
    if in_any(module, NETWORK_HOMES):
        return []
    return [
        f"{module.at(line)} imports {name}"
        for name, line in module.imports()
        if name.split(".")[0] in NETWORK_MODULES and not within(name, "urllib.parse")
    ]


@for_every_module
def test_pure_rooms_touch_no_world(module: Module) -> list[str]:
    if not in_any(module, PURE):
        return []
    wrong = [
        f"{module.at(line)} imports {name}"
        for name, line in module.imports()
        if name.split(".")[0] in IMPURE_MODULES or within(name, "importlib")
    ]
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            wrong.append(f"{module.at(node.lineno)} calls {node.func.id}()")
        if isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_METHODS:
            wrong.append(f"{module.at(node.lineno)} asks the clock by .{node.func.attr}()")
    return wrong


@for_every_module
def test_no_float_touches_money(module: Module) -> list[str]:
    if not in_any(module, MONEY):
        return []
    wrong = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            wrong.append(f"{module.at(node.lineno)} writes the float {node.value}")
        if isinstance(node, ast.Name) and node.id == "float":
            wrong.append(f"{module.at(node.lineno)} names float")
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div) and not _is_decimal(node):
            wrong.append(f"{module.at(node.lineno)} divides with /; use // or Decimal(…) / …")
    return wrong


def _is_decimal(node: ast.BinOp | ast.AugAssign) -> bool:
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.value,)
    return any(
        isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "Decimal" for side in sides
    )


@for_every_module
def test_the_library_imports_nothing_by_string(module: Module) -> list[str]:
    if not within(module.name, "custody"):
        return []
    wrong = [module.at(line) for name, line in module.imports() if within(name, "importlib")]
    wrong += [
        module.at(node.lineno)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "__import__"
    ]
    return wrong


@for_every_module
def test_the_library_knows_no_untyped_value(module: Module) -> list[str]:
    if not within(module.name, "custody"):
        return []
    return [module.at(line) for name, line in module.imports() if name == "typing.Any"]


@for_every_module
def test_files_are_written_through_atomic(module: Module) -> list[str]:
    if not within(module.name, "custody") or module.name == "custody.atomic":
        return []
    wrong = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("write_text", "write_bytes"):
            wrong.append(f"{module.at(node.lineno)} writes with .{node.attr}; use custody.atomic")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            wrong.append(f"{module.at(node.lineno)} calls open(); use custody.atomic")
    return wrong


def test_the_second_opinion_shares_no_code_with_the_first() -> None:
    seen = [module for module in modules() if module.name.startswith("custody.bitcoin.second_opinion")]
    wrong = [
        f"{module.at(line)} imports {name}"
        for module in seen
        for name, line in module.imports()
        if within(name, "custody")
        and not any(within(name, known) or name.startswith(f"{known}_") for known in SECOND_OPINION_KNOWS)
        and name not in ("custody", "custody.bitcoin")
    ]
    assert not wrong


def test_a_bundle_is_reviewed_without_chain_and_workspace() -> None:
    for module in modules():
        if module.name == "custody.workflow.review_bundle":
            names = [name for name, _ in module.imports()]
            assert not [name for name in names if within(name, "custody.chain") or within(name, "custody.workspace")]


def test_package_files_hold_no_logic() -> None:
    allowed = ast.Expr | ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign
    for module in modules():
        if module.path.name == "__init__.py":
            assert all(isinstance(node, allowed) for node in module.tree.body), module.name
