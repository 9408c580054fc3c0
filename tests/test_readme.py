"""The README and the page of the package are true: their trees are what lies on the disk."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PACKAGE = (ROOT / "docs" / "package.md").read_text("utf-8")


def tree_paths(page: str) -> dict[str, str]:
    """Paths in a page's annotated tree, relative to the root, with their remarks."""
    block = re.search(r"```\n(scenewise/.*?)```", page, re.DOTALL)
    assert block is not None
    paths: dict[str, str] = {}
    parents: list[str] = []
    for line in block.group(1).splitlines():
        found = re.match(r"^((?:[│ ]   )*(?:[├└]── )?)(\S+)\s*(?:# (.+))?$", line)
        assert found is not None, f"not a line of a tree: {line!r}"
        depth = len(found.group(1)) // 4
        parents[depth:] = [found.group(2).rstrip("/")]
        path = "/".join(parents)
        assert path not in paths, f"{path} stands in the tree twice"
        paths[path] = found.group(3) or ""
    return paths


def modules_on_disk() -> set[str]:
    """Every module with something of its own; a package stands for its __init__."""
    package = ROOT / "scenewise"
    modules = {p.relative_to(ROOT).as_posix() for p in package.rglob("*.py")}
    folders = {str(Path(m).parent.as_posix()) for m in modules}
    return {m for m in modules if not m.endswith("/__init__.py")} | folders


def test_the_tree_of_the_package_names_every_module_and_nothing_else() -> None:
    assert set(tree_paths(PACKAGE)) == modules_on_disk()


def test_the_tree_of_the_readme_names_every_room_and_the_ground_floor() -> None:
    rooms = {path for path in modules_on_disk() if not path.endswith(".py") or path.count("/") == 1}
    assert set(tree_paths(README)) == rooms


def test_every_line_of_the_trees_says_what_it_is() -> None:
    for page in (README, PACKAGE):
        assert [path for path, remark in tree_paths(page).items() if not remark] == []


def test_a_line_says_the_same_in_both_trees() -> None:
    whole = tree_paths(PACKAGE)
    assert {path: whole[path] for path in tree_paths(README)} == tree_paths(README)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_pictures_and_pages_that_the_readme_names_exist() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    missing = [t for t in targets if "://" not in t and not (ROOT / t).exists()]
    assert missing == []
