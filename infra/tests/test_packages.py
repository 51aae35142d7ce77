"""Each package can be installed alone: what it imports is there by what it declares."""

import ast
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("*/pyproject.toml") if path.parent.name != "infra")
"""Those that are shipped; infra/ runs from a checkout, with everything that is pinned for it."""
DISTRIBUTIONS = packages_distributions()
HIDDEN = {"EmailStr": "email_validator"}
"""Names that need a package which nobody imports."""


def installed_by(package: Path) -> set[str]:
    """Names of everything that is installed along with the package."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    names: set[str] = {canonicalize_name(project["name"])}
    waiting = [Requirement(text) for text in project.get("dependencies", ())]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        names.add(canonicalize_name(one.name))
        try:
            further = [Requirement(text) for text in requires(one.name) or ()]
        except PackageNotFoundError:
            continue
        environments = [{"extra": extra} for extra in ("", *one.extras)]
        waiting += [
            other
            for other in further
            if other.marker is None or any(other.marker.evaluate(known) for known in environments)
        ]
    return names


def imported(package: Path) -> dict[str, Path]:
    """Top-level modules that the package imports, each with a file that does."""
    found: dict[str, Path] = {}
    for file in (package / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                hidden = [HIDDEN[alias.name] for alias in node.names if alias.name in HIDDEN]
                names = [node.module, *hidden]
            else:
                continue
            found |= {name.split(".")[0]: file for name in names}
    return found


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_what_a_package_imports_is_installed_with_it(package: Path) -> None:
    known = installed_by(package)
    missing = {
        module: str(file.relative_to(ROOT))
        for module, file in imported(package).items()
        if module not in sys.stdlib_module_names
        and not known & {canonicalize_name(name) for name in DISTRIBUTIONS.get(module, (module,))}
    }
    assert not missing
