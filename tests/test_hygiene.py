"""What the Registry's scan, other packs and other machines would trip over, looked for in the files themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .packaging.shipped import ROOT, project_files, shipped_files
from .packaging.shipped import name as _name

TEXT = {".py", ".js", ".md", ".json", ".toml", ".txt", ".yaml", ".yml", ".ini", ".sh", ""}

# The Registry's scan flags these at any severity, wherever they stand in a published file.
FORBIDDEN = {
    "eval or exec": r"(?<![\w.])(?:eval|exec)\s*\(",
    "other programs": r"\bsubprocess\b|\bctypes\b|\bos\.(?:system|popen|exec\w*|spawn\w*)\b|\bpip\s+install\b",
    "network": r"(?m)^\s*(?:import|from)\s+(?:requests|urllib|http|httpx|aiohttp|socket)\b",
    "network of the page": r"\bXMLHttpRequest\b|\bWebSocket\b|\bEventSource\b|\bsendBeacon\b|\bimportScripts\b",
    "hosts": r"\b(?:https?|wss?|ftp)://(?!www\.w3\.org/2000/svg\b)",
    "environment": r"\bos\.(?:environ|getenv|putenv)\b",
    "imports by name": r"\bimport_module\b|__import__",
    "database, encoding, crypto": r"\bsqlite|\bbase64\b|\bcrypto|\batob\b|\bbtoa\b|\bnew Function\b",
    "unsafe loading": r"\bpickle\b|\bmarshal\b|\btorch\.load\(",
    "a fixed device": r"\.cuda\(|\btorch\.cuda\.|[\"']cuda(?::\d)?[\"']",
}
# Assembled, so that this file does not match itself.
MACHINE_PATHS = re.compile(
    "|".join(["/wo" + "rk/", r"/ho" + r"me/\w", "/ro" + "ot/", r"/Us" + r"ers/\w", r"C:\\+Us" + "ers"])
)


def _pack_modules() -> list[Path]:
    return [path for path in shipped_files() if path.suffix == ".py"]


@pytest.mark.parametrize("rule", FORBIDDEN)
def test_no_forbidden_words(rule: str) -> None:
    pattern = re.compile(FORBIDDEN[rule])
    code = [path for path in shipped_files() if path.suffix in {".py", ".js"}]
    assert {_name(path): found for path in code if (found := pattern.findall(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("eval or exec", "value = eval(text)"),
        ("other programs", "import ctypes"),
        ("network", "from urllib.request import urlopen"),
        ("network of the page", "new WebSocket(address)"),
        ("hosts", 'fetch("https://example.org/")'),
        ("environment", 'os.environ["HOME"]'),
        ("imports by name", "importlib.import_module(name)"),
        ("database, encoding, crypto", "import base64"),
        ("unsafe loading", "torch.load(file)"),
        ("a fixed device", 'tensor.to("cuda")'),
    ],
)
def test_forbidden_words_are_found(rule: str, line: str) -> None:
    assert re.search(FORBIDDEN[rule], line)


def test_no_minified_scripts() -> None:
    scripts = [path for path in shipped_files() if path.suffix == ".js"]
    assert [_name(path) for path in scripts if any(len(line) > 200 for line in path.read_text().splitlines())] == []


def test_no_print() -> None:
    calls = {_name(path): _calls_of_print(path) for path in _pack_modules()}
    assert {name: lines for name, lines in calls.items() if lines} == {}


def _calls_of_print(path: Path) -> list[int]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_own_modules_are_imported_relatively() -> None:
    """ComfyUI loads the pack under its folder's path; `import nodes` would be ComfyUI's own."""
    own = {"core", "bridge", "nodes", "demo", "headcount", "tests", "benchmarks"}
    found = {_name(path): sorted(own & _absolute_imports(path)) for path in _pack_modules()}
    assert {name: modules for name, modules in found.items() if modules} == {}


def _absolute_imports(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(node.module.split(".")[0])
    return modules


def test_every_skip_is_listed() -> None:
    """tests/QUARANTINE.md names the reason of every skip."""
    listed = (ROOT / "tests" / "QUARANTINE.md").read_text()
    tests = [path for path in project_files() if _name(path).startswith("tests/") and path.suffix == ".py"]
    found = {_name(path): [reason for reason in _skip_reasons(path) if reason not in listed] for path in tests}
    assert {name: reasons for name, reasons in found.items() if reasons} == {}


def _skip_reasons(path: Path) -> list[str]:
    """The texts given to pytest.skip, skipif, xfail and importorskip; "no reason" where there is none."""
    reasons = []
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            reason = next((word.value for word in call.keywords if word.arg == "reason"), None)
            if call.func.attr == "skip" and call.args:
                reason = call.args[0]
            if call.func.attr in {"skip", "skipif", "xfail", "importorskip"}:
                reasons.append(str(reason.value) if isinstance(reason, ast.Constant) else "no reason")
    return reasons


def test_no_package_index_is_named() -> None:
    """Where packages come from is for pip's own settings to say."""
    hosts = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(?:org|com)"]))
    texts = [path for path in project_files() if path.suffix in TEXT and path.stat().st_size < 5_000_000]
    assert [_name(path) for path in texts if hosts.search(path.read_text(errors="replace"))] == []


def test_no_path_of_a_developers_machine() -> None:
    texts = [path for path in project_files() if path.suffix in TEXT and path.stat().st_size < 5_000_000]
    found = {_name(path): MACHINE_PATHS.findall(path.read_text(errors="replace")) for path in texts}
    assert {name: paths for name, paths in found.items() if paths} == {}
