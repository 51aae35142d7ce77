"""What the documents mention exists: links, files, folders, make targets and modules."""

import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = [
    Path(name)
    for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    if (ROOT / name).exists()
]
FOLDERS = {parent for path in TRACKED for parent in path.parents}
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MENTIONED_FILE = re.compile(r"(?!\.fleet/)[\w.-]+(/[\w.-]+)*\.(py|sh|js|md|toml|yml|ini|template)")
MENTIONED_FOLDER = re.compile(r"[a-z][\w-]*(/[\w-]+)*/")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
MENTIONED_TARGET = re.compile(r"(?:^|`)make ([a-z][a-z-]*)", re.MULTILINE)
MENTIONED_MODULE = re.compile(r"python -m ([a-z_][\w.]*)")

pytestmark = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


def text_of(document: Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def mentions(document: Path, kind: re.Pattern[str]) -> Iterator[str]:
    """Inline code, outside of blocks, that is of this kind as a whole."""
    for code in CODE.findall(FENCE.sub("", text_of(document))):
        if kind.fullmatch(code):
            yield code


def anchors(document: Path) -> set[str]:
    """The anchors that the headings of a document get on the hosts of repositories."""
    headings = HEADING.findall(FENCE.sub("", text_of(document)))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def ends_with(path: Path, mention: str) -> bool:
    parts = Path(mention).parts
    return path.parts[-len(parts) :] == parts


def test_relative_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", text_of(document))):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (ROOT / document.parent / name).resolve() if name else ROOT / document
        missing_anchor = anchor and anchor not in anchors(target.relative_to(ROOT))
        if not target.exists() or missing_anchor:
            broken.append(link)
    assert broken == []


def test_mentioned_files_and_folders_exist(document: Path) -> None:
    files = [m for m in mentions(document, MENTIONED_FILE) if not any(ends_with(p, m) for p in TRACKED)]
    folders = [m for m in mentions(document, MENTIONED_FOLDER) if not any(ends_with(p, m) for p in FOLDERS)]
    assert files + folders == []


def test_mentioned_make_targets_exist(document: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    assert [name for name in MENTIONED_TARGET.findall(text_of(document)) if name not in targets] == []


def test_mentioned_modules_can_be_run(document: Path) -> None:
    modules = MENTIONED_MODULE.findall(text_of(document))
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
