"""COMFYUI_PATH: one setting for set-up, demo, tests and server, and what is said of a folder that is no ComfyUI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

from demo import comfy_host, comfyui_path, setup_environment
from demo.comfyui_path import SETTING, comfyui_folder
from demo.server import ComfyServer
from training.tokenizer import usual_folders

ROOT = Path(__file__).resolve().parents[2]
VERSION = "99.1.2"


@pytest.fixture
def other_comfyui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ComfyUI of these tests in another folder, under another version."""
    real, folder = comfyui_folder(), tmp_path / "ComfyUI"
    folder.mkdir()
    for part in real.iterdir():
        if part.name not in ("comfyui_version.py", "__pycache__"):
            (folder / part.name).symlink_to(part)
    (folder / "comfyui_version.py").write_text(f'__version__ = "{VERSION}"\n')
    monkeypatch.setenv(SETTING, str(folder))
    return folder


def test_everything_asks_one_place(other_comfyui: Path) -> None:
    assert comfyui_folder() == other_comfyui == comfy_host.comfyui_folder()
    assert comfyui_path.version_in(other_comfyui) == (99, 1, 2)
    assert usual_folders()[0].is_relative_to(other_comfyui)


def test_without_it_the_unpacked_copy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    monkeypatch.setattr(comfyui_path, "OWN", ROOT / "not there")
    assert comfyui_path.named_folder() is None
    with pytest.raises(FileNotFoundError, match=r"COMFYUI_PATH is empty.*make setup"):
        comfyui_folder()


@pytest.mark.parametrize(
    ("version", "said"), [(None, "there is no ComfyUI in"), ("0.29.9", "0.29.9 in .* has to be 0.30.0 or newer")]
)
def test_a_folder_that_will_not_do_is_refused_in_one_sentence(
    version: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is not None:
        for part in ("main.py", "comfy/sd.py", "comfyui_version.py"):
            (tmp_path / part).parent.mkdir(exist_ok=True)
            (tmp_path / part).write_text(f'__version__ = "{version}"\n')
    monkeypatch.setenv(SETTING, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"COMFYUI_PATH names .*{said}"):
        comfyui_folder()
    for command in (["-m", "demo.setup_environment"], ["-m", "pytest", "-q", "tests/core/test_isac_words.py"]):
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=100)
        said_by = (done.stderr + done.stdout).strip().splitlines()
        assert done.returncode == 1 and len(said_by) == 1 and "COMFYUI_PATH names" in said_by[0], said_by


def test_set_up_leaves_the_folder_alone(other_comfyui: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither unpacked nor written to; what .venv lacks, or has in another version, goes into a folder of its own."""
    (other_comfyui / "requirements.txt").unlink()
    requirements = (
        "torch\nnumpy>=1.25.0\n# a remark\nsurely-not-there==1.2 # why\n\n--extra-index-url nowhere\neinops==0.0.1\n"
    )
    (other_comfyui / "requirements.txt").write_text(requirements)
    before = {part: part.stat().st_mtime_ns for part in other_comfyui.iterdir()}
    done: list[tuple[str, ...]] = []
    monkeypatch.setattr(comfyui_path, "ROOT", tmp_path)
    monkeypatch.setattr(setup_environment, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup_environment, "_python", lambda: Path(sys.executable))
    monkeypatch.setattr(setup_environment, "_pip", lambda *arguments: done.append(arguments))
    run = lambda command, **how: None if "-m" in command else subprocess.run(command, **how)  # noqa: E731 - no page
    monkeypatch.setattr(setup_environment, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(setup_environment, "_set_up", lambda wanted, unpack: done.append(("set up", str(unpack))))
    setup_environment.main()
    setup_environment.main()  # the second time it is all there
    packages = comfyui_path.packages_of(other_comfyui)
    set_up, (install, no_deps, target, folder, *missing), *again = done
    assert set_up == ("set up", "False") and again == [set_up]
    assert (install, no_deps, target) == ("install", "--no-deps", "--target") and missing == [
        "surely-not-there==1.2",
        "einops==0.0.1",
    ]
    assert packages.is_relative_to(tmp_path) and packages.is_dir() and Path(folder).parent.parent == packages.parent
    assert {part: part.stat().st_mtime_ns for part in other_comfyui.iterdir()} == before


def test_the_server_is_that_of_the_named_folder(other_comfyui: Path, tmp_path: Path) -> None:
    """And its page is the one that this ComfyUI asks for."""
    (other_comfyui / "requirements.txt").unlink()
    (other_comfyui / "requirements.txt").write_text(f"comfyui-frontend-package==99.0.0\n# {tmp_path}\n")
    packages = comfyui_path.packages_of(other_comfyui)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, packages)
        static = packages / "comfyui_frontend_package" / "static"
        static.mkdir(parents=True)
        (static.parent / "__init__.py").touch()
        (static / "index.html").write_text("the page of 99.0.0")
        server = stack.enter_context(ComfyServer())
        with urlopen(server.address, timeout=30) as answer:
            assert answer.read() == b"the page of 99.0.0"
        with urlopen(f"{server.address}/system_stats", timeout=30) as answer:
            assert json.load(answer)["system"]["comfyui_version"] == VERSION
        assert "HeadcountCountPrompt" in server.object_info()
