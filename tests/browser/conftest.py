"""ComfyUI's page in a real browser: the one that ComfyUI pins and the newest, on the classic canvas and in Nodes 2.0.

All tests run in the pinned page; those marked `every_page` also in the newest. Each leaves a picture of the page, in
PICTURES, with its name, page and renderer.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from demo.browser import CHROMIUM, comfy_page, started_browser
from demo.newest_page import newest_page
from demo.server import ComfyServer

from ..helpers.comfy_page import ROOT, set_option, watched
from ..helpers.drawn_views import drawn, drawn_record, write_view
from ..helpers.viewer_page import ViewerPage

PINNED, NEWEST = "pinned", "newest"
PICTURES = ROOT / "tests" / "output" / "browser"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_page: also in the newest page, not in the pinned one alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("every_page") is not None
        pages = [PINNED, NEWEST] if marked else [PINNED]
        metafunc.parametrize("host", pages, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: playwright holds the thread's event loop, and other tests start one of their own."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Iterator[None]:
    """Photograph the page as a test has left it, passed or failed, before its fixtures put the page back."""
    try:
        return (yield)
    finally:
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"\W+", "-", f"{item.path.stem}-{item.name}").strip("-")
        item.funcargs["page"].screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    shutil.rmtree(PICTURES, ignore_errors=True)
    with started_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def newest_server() -> Iterator[ComfyServer]:
    """The server that shows the newest page."""
    folder = newest_page()
    if folder is None:
        pytest.skip("the newest page could not be fetched")
    with ComfyServer("--front-end-root", str(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, browser: Browser) -> ComfyServer:
    """The server that shows one of the pages; each file goes from one to the other, and both keep running."""
    server: ComfyServer = request.getfixturevalue("server" if request.param == PINNED else "newest_server")
    return server


@pytest.fixture(scope="session")
def page(host: ComfyServer, browser: Browser) -> Iterator[Page]:
    # Drawing the page's animations takes longer than a run.
    with comfy_page(browser, host, 1200, 1100, reduced_motion="reduce") as page:
        yield page


@pytest.fixture(scope="session", params=["canvas", "nodes2"])
def renderer(request: pytest.FixtureRequest, page: Page) -> str:
    """One of the page's two ways to draw nodes."""
    set_option(page, "Comfy.VueNodes.Enabled", request.param == "nodes2")
    return request.param


@pytest.fixture(autouse=True)
def errors(page: Page) -> Iterator[list[str]]:
    """What went wrong in the page during a test: nothing."""
    with watched(page) as errors:
        yield errors
    assert errors == []


@pytest.fixture
def viewer(page: Page, renderer: str) -> ViewerPage:
    return ViewerPage(page)


@pytest.fixture(scope="session")
def drawn_folder(host: ComfyServer) -> str:
    """Files of `drawn_record` where the server has its views."""
    return write_view(host, drawn_record(), "a view of a test")


@pytest.fixture
def made_up(viewer: ViewerPage, drawn_folder: str) -> ViewerPage:
    viewer.open(drawn(drawn_folder))
    viewer.wait()
    return viewer
