"""YAML that our reader, and readers of YAML 1.1 too, understand as it was meant."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

from qflowd.define.yaml_reader import scalar
from qflowd.model.workflow import Json

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc, valid-type]
    """Quotes what either reader would take for something else than text, and never uses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def write(document: Mapping[str, Json]) -> str:
    """The text of `document`, keys in their order."""
    text: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _represent_text(dumper: Any, text: str) -> Any:
    try:
        means_text = scalar(text) == text
    except ValueError:
        means_text = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if means_text else '"')


_Dumper.add_representer(str, _represent_text)
