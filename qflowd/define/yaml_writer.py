"""From a document of plain values to YAML, which `yaml_reader` reads back alike."""

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from qflowd.model.workflow import Json

_PLAIN_TEXT: Final = re.compile(r"[^\W\d][\w ./()*-]*")
_WORDS: Final = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"}


def write(document: Mapping[str, Json]) -> str:
    """The text of a document, with its keys in their order."""
    return str(yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120))


class _Plain(yaml.SafeDumper):
    """Writes a value that stands in two places twice, not as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """With quotes wherever a reader might take it for another value: `1e3`, `NO`."""
        style = "|" if "\n" in text else None if _PLAIN_TEXT.fullmatch(text) and text.lower() not in _WORDS else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _Plain.represent_text)
