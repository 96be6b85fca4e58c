"""The files of the page belong together, and ask nothing of anybody else."""

import re
from posixpath import dirname, join, normpath

import pytest

from retinula.page.files import BROWSER_POLICY, INDEX, Answerer, page_files

BOTH: tuple[Answerer, ...] = ("server", "browser")
# Of the model and what runs it; they are beside the page where a browser runs it.
OTHERS = {"onnxruntime/ort.wasm.bundle.min.js"}


@pytest.mark.parametrize("answerer", BOTH)
def test_all_that_is_asked_for_is_there(answerer: Answerer) -> None:
    files = page_files(answerer)
    asked = set(re.findall(r'(?:href|src)="([^"#]+)"', files[INDEX].decode())) - {"openapi.json"}
    for path, content in files.items():
        if path.endswith(".js"):
            found = re.findall(r'^import .*"(.+)";$|new URL\("(\w+\.js)"', content.decode(), re.MULTILINE)
            asked |= {normpath(join(dirname(path), next(filter(None, each)))) for each in found}
    assert f"page/{answerer}/start.js" in asked
    assert asked - files.keys() <= OTHERS
    assert files.keys() - asked == {INDEX}, "nothing is there for nothing"


@pytest.mark.parametrize("answerer", BOTH)
def test_nothing_is_asked_of_anybody_else(answerer: Answerer) -> None:
    names_only = b"http://www.w3.org/2000/svg"  # of a language: nothing is fetched from it
    for path, content in page_files(answerer).items():
        assert not re.search(rb"https?:|[\"'(]//", content.replace(names_only, b"")), path


def test_a_page_without_a_server_says_itself_what_it_may_do() -> None:
    index = page_files("browser")[INDEX].decode()
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', index)
    assert policy is not None
    assert policy[1] == BROWSER_POLICY
    assert "unsafe-inline" not in policy[1]
    assert "unsafe-eval" not in policy[1].replace("wasm-unsafe-eval", "")
    assert index.index("Content-Security-Policy") < min(index.index("<script"), index.index("<link"))
    assert "token" not in index
    assert "v1/predict" not in index


def test_the_page_of_a_server_has_what_only_servers_need() -> None:
    index = page_files("server")[INDEX].decode()
    assert 'id="token"' in index
    assert "v1/predict" in index
    assert "Content-Security-Policy" not in index  # the server sends it
