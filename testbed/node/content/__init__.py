"""The configuration files of the site and the node, as templates; their comments say why a setting is there."""

from __future__ import annotations

from pathlib import Path

import jinja2

from .. import addresses

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - YAML, TOML and nft, no HTML
    variable_start_string="<<",
    variable_end_string=">>",
    trim_blocks=True,
)
_ADDRESSES = {name.lower(): value for name, value in vars(addresses).items() if name.isupper()}


def render(template: str, **values: object) -> str:
    """The text of ``template`` with ``values`` and the names of ``addresses`` (in lower case) put in."""
    return _TEMPLATES.get_template(template).render(_ADDRESSES | values)


def write(template: str, target: Path, **values: object) -> Path:
    """Render ``template`` into ``target``, whose directory is made; returns ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(template, **values), encoding="utf-8")
    return target
