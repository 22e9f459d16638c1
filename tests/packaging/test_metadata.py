"""pyproject.toml as the Registry, ComfyUI Manager and ComfyUI itself read it, and the workflows that publish it."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any

import pytest
import tomllib
import yaml
from comfy_config.config_parser import extract_node_configuration
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from demo.comfy_host import comfyui_folder

from .shipped import ROOT, name, shipped_files

WORKFLOWS = ROOT / ".github" / "workflows"
# What the Registry knows; one value that it does not know voids all of the same kind.
SYSTEMS = re.compile(r"OS Independent|(Microsoft|POSIX|MacOS)( :: .+)?")
ACCELERATORS = {f"GPU :: {kind}" for kind in ("NVIDIA CUDA", "AMD ROCm", "Intel Arc", "Apple Metal")}
ACCELERATORS |= {"NPU :: Huawei Ascend"}
# ComfyUI Manager leaves these out of a pack's requirements: they are chosen for the user's card.
OF_THE_CARD = {"torch", "torchvision", "torchaudio", "torchsde"}


@cache
def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def _requirements() -> tuple[Requirement, ...]:
    return tuple(Requirement(line) for line in _pyproject()["project"]["dependencies"])


@cache
def _of_comfyui() -> dict[str, Requirement]:
    """What the tested ComfyUI asks for itself: distribution -> requirement."""
    lines = (comfyui_folder() / "requirements.txt").read_text().splitlines()
    listed = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in listed}


def test_comfyui_reads_every_field() -> None:
    read = extract_node_configuration(str(ROOT))
    project, comfy = read.project, read.tool_comfy
    written = _pyproject()
    assert (project.name, project.version) == (written["project"]["name"], written["project"]["version"])
    assert project.description and project.requires_python == ">=3.10"
    assert project.urls.repository and project.urls.documentation and project.urls.issues
    assert project.license.file == "LICENSE"
    assert project.supported_os == ["OS Independent"]
    assert project.supported_comfyui_version == ">=0.30.0"
    assert project.supported_comfyui_frontend_version.startswith(">=")
    assert (comfy.publisher_id, comfy.display_name) == ("headcount", "Headcount")
    assert comfy.web is None, "the help pages are found by WEB_DIRECTORY, which goes by the folder's name"


def test_name_and_version() -> None:
    project = _pyproject()["project"]
    assert re.fullmatch(r"[a-z][a-z0-9]*([._-][a-z0-9]+)*", project["name"]) and len(project["name"]) < 100
    assert "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])


def test_newest_changelog_entry_is_this_version() -> None:
    """publish.yml hands the first section of the changelog to the Registry."""
    newest = re.search(r"(?m)^## (\S+)\n\n- ", (ROOT / "CHANGELOG.md").read_text())
    assert newest and newest[1] == _pyproject()["project"]["version"]


def test_classifiers_are_known() -> None:
    classifiers = _pyproject()["project"]["classifiers"]
    systems = [value.partition(" :: ")[2] for value in classifiers if value.startswith("Operating System ::")]
    accelerators = [value.partition(" :: ")[2] for value in classifiers if value.startswith("Environment ::")]
    assert systems and all(SYSTEMS.fullmatch(system) for system in systems)
    assert set(accelerators) <= ACCELERATORS


def test_pictures_are_shipped() -> None:
    """An icon or banner is served from the repository, so its file must be there."""
    comfy = _pyproject()["tool"]["comfy"]
    shipped = {name(path) for path in shipped_files()}
    for picture in ("Icon", "Banner"):
        if picture in comfy:
            assert re.fullmatch(r"https://\S+\.(svg|png|jpg|gif)", comfy[picture])
            assert any(comfy[picture].endswith(f"/{file}") for file in shipped), f"no file behind {picture}"


def test_both_dependency_lists_are_the_same() -> None:
    """Installers read requirements.txt, the Registry reads pyproject.toml."""
    listed = _pyproject()["project"]["dependencies"]
    assert (ROOT / "requirements.txt").read_text().split() == listed
    assert [line for line in listed if not re.fullmatch(r"[\w-]+>=[\d.]+", line)] == [], "lower bounds only"
    assert [requirement.name for requirement in _requirements() if requirement.name in OF_THE_CARD] == []


def test_set_up_installs_what_is_asked_for() -> None:
    """In exact versions that suit: `make lock` has been run since the names were changed."""
    pinned = [Requirement(line) for line in _lines("requirements-dev.txt")]
    versions = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in pinned}
    asked = [*_requirements(), *(Requirement(line) for line in _lines("requirements-dev.in"))]
    assert [one.name for one in asked if canonicalize_name(one.name) not in versions] == []
    assert [one.name for one in asked if not one.specifier.contains(versions[canonicalize_name(one.name)])] == []
    assert [str(one) for one in pinned if not str(one.specifier).startswith("==")] == []


def _lines(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]


def test_installing_changes_nothing_of_comfyui() -> None:
    """Whatever satisfies ComfyUI satisfies the pack, so that no installer replaces a package ComfyUI has."""
    for requirement in _requirements():
        theirs = _of_comfyui().get(canonicalize_name(requirement.name))
        if theirs is not None:
            bounds = [Version(bound.version) for bound in theirs.specifier if bound.operator in (">=", "==", "~=")]
            assert all(bound in requirement.specifier for bound in bounds), f"{requirement} asks for more than {theirs}"
    alone = {requirement.name for requirement in _requirements()} - {of.name for of in _of_comfyui().values()}
    assert alone == {"scikit-learn"}


def test_every_import_is_asked_for() -> None:
    """A package that neither the pack nor ComfyUI lists may be missing, which is the usual cause of IMPORT FAILED."""
    here = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "execution", "folder_paths", "latent_preview"}
    here |= {"node_helpers", "nodes", "server"} | sys.stdlib_module_names
    asked_for = {canonicalize_name(requirement.name) for requirement in _requirements()} | set(_of_comfyui())
    distributions = packages_distributions()
    missing = set()
    for path in [path for path in shipped_files() if path.suffix == ".py"]:
        for module in _imports(path.read_text()) - here:
            if not asked_for & {canonicalize_name(owner) for owner in distributions.get(module, [])}:
                missing.add(f"{name(path)}: {module}")
    assert missing == set()


def _imports(source: str) -> set[str]:
    """First names of the modules a file imports absolutely."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("file", ["test.yml", "publish.yml"])
def test_workflows_can_only_read(file: str) -> None:
    workflow = yaml.safe_load((WORKFLOWS / file).read_text())
    assert workflow["permissions"] == {"contents": "read"}


def test_tests_run_as_ci_does() -> None:
    steps = yaml.safe_load((WORKFLOWS / "test.yml").read_text())["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_publishing_waits_for_the_tests() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "publish.yml").read_text())
    assert workflow[True]["push"] == {"branches": ["main"], "paths": ["pyproject.toml"]}  # YAML reads `on` as true
    jobs = workflow["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml" and jobs["publish"]["needs"] == "test"
    action = jobs["publish"]["steps"][-1]
    assert re.fullmatch(r"Comfy-Org/publish-node-action@[0-9a-f]{40}", action["uses"]), "a tag can be moved"
    assert action["with"]["personal_access_token"] == "${{ secrets.REGISTRY_ACCESS_TOKEN }}"
