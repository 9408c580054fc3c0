"""What people see from outside: public names, help, exit codes, documented commands.

Everything that the pages and the README tell people to type is parsed by the real command line.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import scenewise
from scenewise.cli.main import app, main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
HEAVY = {"numpy", "av", "faiss", "onnxruntime", "tokenizers", "torch", "transformers", "PIL"}
COMMAND: Any = typer.main.get_command(app)  # typer's own classes are not public


def commands(group: Any = COMMAND, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as the words that name it."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def find(path: tuple[str, ...]) -> Any:
    found = COMMAND
    for name in path:
        found = found.commands[name]
    return found


ALL = list(commands())
VERBS = sorted(COMMAND.commands)


def named(path: tuple[str, ...]) -> str:
    return " ".join(path) or "scenewise"


# Python


@pytest.mark.parametrize("name", scenewise.__all__)
def test_public_names_exist_and_say_what_they_are(name: str) -> None:
    value = getattr(scenewise, name)
    assert name == "__version__" or (value.__doc__ or "").strip()


def test_public_methods_of_the_library_say_what_they_do() -> None:
    for name in dir(scenewise.Library):
        if not name.startswith("_"):
            value = getattr(scenewise.Library, name)
            assert (getattr(value, "__doc__", "") or "").strip(), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Librarian'"):
        scenewise.Librarian  # noqa: B018 # looking is the test


def test_the_version_is_that_of_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'version = "{scenewise.__version__}"' in text


# help


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_command_helps(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {' '.join(('scenewise', *path))} ")


@pytest.mark.parametrize("path", ALL, ids=named)
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    command = find(path)
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{named(path)}: {parameter.name}"


@pytest.mark.parametrize("verb", VERBS)
def test_the_first_sentence_fits_the_list_of_commands(verb: str) -> None:
    first = COMMAND.commands[verb].help.splitlines()[0]
    assert first.endswith(".")
    assert len(first) <= 60


def test_common_options_have_one_meaning_everywhere() -> None:
    helps: dict[str, set[str]] = {}
    for path in ALL:
        for parameter in find(path).params:
            for option in parameter.opts:
                if option in ("--library", "--json", "--quiet", "-q", "--verbose", "-v", "--yes"):
                    helps.setdefault(option, set()).add(parameter.help)
    assert len(helps) == 7
    assert {option: len(texts) for option, texts in helps.items() if len(texts) > 1} == {}


def fresh(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=60,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import json, sys\n"
        "from scenewise.cli.main import main\n"
        "codes = [main([*path, '--help']) for path in json.loads(sys.argv[1])]\n"
        "loaded = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "print(json.dumps([codes, loaded]), file=sys.stderr)"
    )
    done = fresh(code, json.dumps(ALL))
    codes, loaded = json.loads(done.stderr)
    assert set(codes) == {0}
    assert HEAVY.isdisjoint(loaded)


def test_importing_the_package_loads_nothing_heavy() -> None:
    done = fresh("import sys, scenewise; print(*{n.partition('.')[0] for n in sys.modules})")
    assert (HEAVY | {"typer", "rich", "pydantic"}).isdisjoint(done.stdout.split())


# documentation


def page_of(verb: str) -> Path:
    """The page of a verb; that of ``index`` cannot be called index."""
    return DOCS / {"index": "indexing.md"}.get(verb, f"{verb}.md")


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_a_page_that_is_in_the_navigation(verb: str) -> None:
    page = page_of(verb)
    assert page.read_text("utf-8").startswith(f"# scenewise {verb}\n")
    assert f'"{page.name}"' in (ROOT / "zensical.toml").read_text("utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_names_every_option_of_its_own_and_the_exit_codes(verb: str) -> None:
    shared = (DOCS / "commands.md").read_text("utf-8")
    text = page_of(verb).read_text("utf-8") + shared
    for path in ALL:
        if path[:1] != (verb,):
            continue
        for parameter in find(path).params:
            names = [*parameter.opts, *parameter.secondary_opts]
            options = [name for name in names if name.startswith("--")]
            documented = [name for name in options if f"`{name}" in text or f"{name} " in text]
            assert documented or not options, f"{page_of(verb).name} does not name {options}"
    assert "xit code" in page_of(verb).read_text("utf-8")


def fenced_commands() -> Iterator[Any]:
    """Every ``scenewise …`` line inside a fence of a page, one case each."""
    for page in PAGES:
        inside = False
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
            if line.startswith("```"):
                inside = not inside
            elif inside and line.startswith("scenewise "):
                yield pytest.param(line, id=f"{page.name}:{number}")


@pytest.mark.parametrize("line", list(fenced_commands()))
def test_documented_commands_can_be_typed(line: str) -> None:
    # what a shell would do with a comment, a pipe or a redirection is not ours
    words = shlex.split(re.split(r"\s[|>]", line)[0], comments=True)[1:]
    group, context = COMMAND, COMMAND.make_context("scenewise", words, resilient_parsing=True)
    while hasattr(group, "commands"):
        if not words or words[0].startswith("-"):
            break
        name, group, words = group.resolve_command(context, words)
        # parses all values; raises a usage error for what does not exist
        context = group.make_context(name, list(words), parent=context)
    assert context.command is not COMMAND or "--version" in line or "--help" in line


def test_inline_options_of_the_pages_exist() -> None:
    known = {"--help", "--version"} | {
        option
        for path in ALL
        for parameter in find(path).params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    foreign = {"--index-url", "--strict", "--nproc-per-node"}  # of pip, zensical and torchrun
    scripts = "".join(path.read_text("utf-8") for path in (ROOT / "examples").glob("*.py"))
    of_scripts = set(re.findall(r'add_argument\("(--[a-z-]+)"', scripts))
    for page in PAGES:
        if page.name in ("architecture.md", "benchmarks.md", "CONTRIBUTING.md"):
            continue  # these speak of other programs too
        typed = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text("utf-8")))
        own = of_scripts if page.parent.name == "recipes" else set()
        assert typed - known - foreign - own == set(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_in_the_pages_is_json(page: Path) -> None:
    for block in re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        json.loads(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_python_of_the_pages_names_what_exists() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, "python.md", "exec")
    rows = re.findall(r"^\| `(?:Library)?\.(\w+)\(", text, re.MULTILINE)
    documented = set(rows)
    assert len(rows) == len(documented), "a method stands in the table twice"
    public = {name for name in dir(scenewise.Library) if not name.startswith("_")}
    assert public - documented <= {"close", "directory"}
    assert documented <= public


def test_the_search_example_has_the_shape_of_a_result() -> None:
    text = (DOCS / "search.md").read_text("utf-8")
    shape = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])
    moment = scenewise.Moment.from_dict(shape["hits"][0])
    result = scenewise.SearchResult(shape["query"], shape["encoder"], shape["found"], (moment,))
    assert json.loads(json.dumps(result.to_dict())) == shape


def test_the_list_example_has_the_shape_of_a_video() -> None:
    text = (DOCS / "list.md").read_text("utf-8")
    (entry,) = json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[0])["videos"]
    assert scenewise.Video(**entry).to_dict() == entry


def test_the_help_of_a_fresh_process_takes_less_than_half_a_second() -> None:
    """From start to end, in processor seconds, which hold on a busy machine; the best of three.

    The first one may read its modules from a cold disk.
    """

    def used() -> float:
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-m", "scenewise", "--help"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            timeout=60,
        )
        after = os.times()
        assert b"Usage: scenewise" in done.stdout
        user = after.children_user - before.children_user
        return user + after.children_system - before.children_system

    assert min(used() for _ in range(3)) < 0.5


def test_the_built_pages_ask_no_other_host_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("zensical")
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=120,
    )
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(list(DOCS.rglob("*.md")))
    loads = re.compile(
        r"""<(?:script|img|link|iframe|source)[^>]*(?:src|href)=["']?(?:https?:)?//"""
    )
    for page in pages:
        found = loads.findall(page.read_text("utf-8").replace('rel="canonical"', ""))
        assert found == [], page.name
    for sheet in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text("utf-8"))
