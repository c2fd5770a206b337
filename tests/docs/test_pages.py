"""What the pages say can be done: commands parse, workflows and Python are right, links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from qflowd.cli import app
from qflowd.define import documents, workflow_file
from qflowd.model.errors import InvalidConfig
from tests.docs.pages import PAGES, ROOT, Block, anchors_of, blocks, name_of, prose_of

WORDS_OF_SHELL = {"&&", "||", ";", "|", ">", "&"}


def commands_in(line: str) -> list[list[str]]:
    """The arguments of each `qflowd …` in a line of shell; what stands in quotes of other programs is theirs."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    is_ours, at_start = False, True
    for word in lexer:
        if word in WORDS_OF_SHELL:
            is_ours, at_start = False, True
        elif at_start and word == "qflowd":
            found.append([])
            is_ours, at_start = True, False
        else:
            at_start = False
            if is_ours:
                found[-1].append(word)
    return found


def parse(command: click.Command, args: list[str], name: str = "qflowd", parent: click.Context | None = None) -> None:
    """Have click read the arguments, without doing anything. Raises: click.UsageError."""
    context = command.make_context(name, list(args), parent=parent)
    rest = [*context._protected_args, *context.args]
    if isinstance(command, click.Group) and rest:
        found, inner, arguments = command.resolve_command(context, rest)
        assert found is not None
        assert inner is not None
        parse(inner, arguments, found, context)


@pytest.mark.parametrize("block", blocks("sh", "bash"), ids=lambda block: block.place)
def test_every_command_in_a_block_exists_with_its_options(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("workflows/daily_bars.yaml", "workflows/closes.yaml"):  # `validate` wants them to exist
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    for line in block.text.replace("\\\n", " ").splitlines():
        for args in commands_in(line):
            parse(app, args)


def check_shown(words: str, place: str) -> None:
    """Hold a command that text names against the CLI: it may leave out what it needs, but names nothing unknown."""
    name, *rest = words.split()
    command = app.get_command(click.Context(app), name)
    assert command is not None, f"{place}: there is no command {name}"
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        command = command.get_command(click.Context(command), rest.pop(0))
        assert command is not None, f"{place}: qflowd {words}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    options = {word for word in rest if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert options <= known, f"{place}: qflowd {words}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_in_the_text_exists_with_its_options(page: Path) -> None:
    for words in re.findall(r"`qflowd ([a-z][^`]*)`", prose_of(page)):
        check_shown(words, name_of(page))


def test_every_command_that_the_dashboard_shows_exists_with_its_options() -> None:
    found = 0
    for path in sorted((ROOT / "web" / "src").rglob("*.ts*")):
        code = re.sub(r"\$\{[^}]*\}", "NAME", path.read_text("utf-8"))
        for words in re.findall(r"[`\"'>]qflowd ([a-z][^`\"'<]*)", code):
            check_shown(words, path.relative_to(ROOT).as_posix())
            found += 1
    assert found >= 10


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.place)
def test_every_workflow_is_without_fault(block: Block) -> None:
    workflow_file.parse(block.text, "yaml", block.place)


@pytest.mark.parametrize("block", blocks("toml", "json"), ids=lambda block: block.place)
def test_every_other_document_can_be_read(block: Block) -> None:
    documents.read(block.text, "toml" if block.language == "toml" else "json", block.place, InvalidConfig)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.place)
def test_every_python_example_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec", dont_inherit=True)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.place)
def test_every_public_name_that_an_example_imports_is_there(block: Block) -> None:
    for line in block.text.splitlines():
        if re.match(r"\s*from qflowd[\w.]* import ", line):
            exec(line.strip(), {})  # noqa: S102 - our own pages


@pytest.mark.slow
def test_the_engine_of_the_page_runs(tmp_path: Path) -> None:
    [example] = [b.text for b in blocks("python") if "Engine(" in b.text and name_of(b.page) == "docs/python.md"]
    (tmp_path / "program.py").write_text(example, "utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("QFLOWD_")}
    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(PAGES[0].parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.strip() == "SUCCESS 42", ran.stderr


def test_builders_and_plain_jobs_in_the_pages_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runnable = [b for b in blocks("python") if ".build()" in b.text or "assert double" in b.text]
    assert len(runnable) >= 3
    for block in runnable:
        exec(compile(block.text, block.place, "exec"), {"__name__": block.place})  # noqa: S102 - our own pages
    workflow_file.parse_file(tmp_path / "one.yaml")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_docs_is_on_the_map() -> None:
    docs = PAGES[0].parent / "docs"
    for folder in (docs, docs / "decisions", docs / "howto"):
        index = folder / ("index.md" if folder == docs else "README.md")
        linked = set(re.findall(r"\]\(([^)#\s]+)", index.read_text("utf-8")))
        assert {page.name for page in folder.glob("*.md")} - {index.name} <= linked


def test_the_two_readmes_show_the_same_code() -> None:
    def code(name: str) -> list[str]:
        """Without comments, which are translated."""
        texts = [block.text for block in blocks("sh", "python", "yaml") if block.page == PAGES[0].parent / name]
        return [re.sub(r"\s*#.*", "", text) for text in texts]

    assert code("README.md") == code("README.zh-CN.md")
    for one, other in (("README.md", "README.zh-CN.md"), ("README.zh-CN.md", "README.md")):
        head = (PAGES[0].parent / one).read_text("utf-8").splitlines()[:5]
        assert any(f"]({other})" in line for line in head)


@pytest.mark.parametrize(
    ("line", "bad"),
    [("qflowd sbmit x", "no such command"), ("cd x && qflowd ps --al", "no such option"), ("qflowd show", "missing")],
)
def test_the_rule_for_commands_sees_what_is_wrong(line: str, bad: str) -> None:
    [args] = commands_in(line)
    with pytest.raises(click.UsageError) as caught:
        parse(app, args)
    assert bad in caught.value.format_message().lower()
