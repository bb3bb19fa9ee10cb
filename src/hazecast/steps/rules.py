"""Reads alert rules from `alerts.yaml`."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import ValidationError

from hazecast.errors import SettingsError
from hazecast.i18n import LANGUAGES
from hazecast.monitoring import Rules

FILE = "alerts.yaml"


def read_rules(folders: Iterable[Path]) -> Rules:
    """The rules in the first of `folders` that has the file; none where no folder has it.

    Raises:
        SettingsError: not YAML, or not rules; the message names the file, the key and the remedy.
    """
    path = next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)
    if path is None:
        return Rules()
    try:
        rules = Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
        raise SettingsError(f"{path} cannot be read: {err}") from err
    except ValidationError as err:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'file'}: {p['msg']}" for p in err.errors())
        raise SettingsError(f"{path}: {problems} (docs/alerts.md describes every key)") from err
    unknown = sorted(set(rules.languages) - set(LANGUAGES))
    if unknown:
        raise SettingsError(f"{path}: languages: unknown {', '.join(unknown)}; known: {', '.join(LANGUAGES)}")
    return rules
