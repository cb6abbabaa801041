"""Hooks of mkdocs: add the written pages, and lead links to the root's pages to their copies."""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from website import pages  # noqa: E402

_ROOT_PAGES = {
    name: f"{name.removesuffix('.md').lower()}.md"
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
}
_WRITTEN = {
    "cli.md": pages.options_page,
    "api.md": pages.api_page,
    "results.md": pages.results_page,
}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are written from the code, and copies of the root's pages."""
    from mkdocs.structure.files import File

    for name, write in _WRITTEN.items():
        files.append(File.generated(config, name, content=write()))
    for source, name in _ROOT_PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_config(config: Any) -> Any:
    """Add pages that the navigation does not name to the how-to guides."""
    named = set(re.findall(r"[\w-]+\.md", str(config.nav)))
    others = {path.name for path in Path(config.docs_dir).glob("*.md")} - named
    for part in config.nav:
        if "How-to guides" in part:
            part["How-to guides"] += sorted(others)
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Lead links out of ``docs/`` to the copies of the pages there."""
    for source, name in _ROOT_PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}").replace(
            f"]({source}", f"]({name}"
        )
    markdown = re.sub(r"^\[`(recipes/[^`]+)`\]\(\1\)$", _show_recipe, markdown, flags=re.MULTILINE)
    markdown = markdown.replace("](../README.md", "](index.md")
    if page.file.src_uri in _ROOT_PAGES.values():
        markdown = markdown.replace("](docs/", "](")
        markdown = re.sub(r"\]\(README.md(#[\w-]+)?", "](index.md", markdown)
    return markdown


def _show_recipe(found: re.Match[str]) -> str:
    """Return the link to a recipe with the file's text below."""
    path = ROOT / "docs" / found[1]
    kind = path.suffix.lstrip(".") or "dockerfile"
    return f"{found[0]}\n\n```{kind}\n{path.read_text(encoding='utf-8')}```"


def on_post_build(config: Any) -> None:
    """Write ``llms.txt``, and all pages in one file for language models."""
    site, docs = Path(config.site_dir), Path(config.docs_dir)
    sources = sorted(docs.glob("*.md"))
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", "", "## Pages", ""]
    lines += [f"- [{_title(path)}]({path.stem}/): {_first_sentence(path)}" for path in sources]
    lines += ["", "## Everything in one file", "", "- [All pages](llms-full.txt)"]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    full = [path.read_text(encoding="utf-8") for path in sources]
    full += [write() for write in _WRITTEN.values() if write is not pages.api_page]
    (site / "llms-full.txt").write_text("\n\n".join(full), encoding="utf-8")


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _first_sentence(path: Path) -> str:
    """Return the first sentence of the page's first paragraph."""
    _, _, text = path.read_text(encoding="utf-8").partition("\n\n")
    paragraph = next((part for part in text.split("\n\n") if re.match(r"[A-Za-z*`\[]", part)), "")
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", " ".join(paragraph.split()))
    return re.split(r"(?<=[.:]) ", plain)[0]
