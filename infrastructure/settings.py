"""Write every form of the settings from `src/hazecast/settings.py`: `make settings`.

.env.example, docs/settings.md, the settings of each service in docker-compose.yml (between the markers), and the
variables of infrastructure/terraform/settings.tf. A test fails if a file differs from what this would write.
"""

from pathlib import Path
from typing import Any

from pydantic import AliasChoices

from hazecast.settings import Service, Settings, is_secret, services_of, variable_of

ROOT = Path(__file__).resolve().parents[1]
START, END = "# settings: written by `make settings`", "# end of settings"
SERVICES: tuple[Service, ...] = ("worker", "api", "metrics", "dashboard", "mlflow", "prefect")
# Addresses inside the compose stack.
IN_COMPOSE = {
    "mlflow_tracking_uri": "http://mlflow:5000",
    "prefect_api_url": "http://prefect:4200/api",
    "api_url": "http://api:8000",
    "allowed_hosts": "mlflow,prefect,${HAZECAST_ALLOWED_HOSTS:-${MLFLOW_SERVER_ALLOWED_HOSTS:-}}",
    "aws_region": "${AWS_REGION:-${AWS_DEFAULT_REGION:-us-east-1}}",
}
# What Terraform sets itself: addresses, buckets, roles, and variables with their own rules in variables.tf.
OF_TERRAFORM = {
    *("place", "schedule_timezone", "stale_after_hours", "use_s3", "s3_uri", "now", "light_training"),
    *("aws_region", "aws_endpoint_url", "aws_access_key_id", "aws_secret_access_key"),
    *("mlflow_tracking_uri", "mlflow_tracking_username", "mlflow_tracking_password", "api_url", "allowed_hosts"),
    *("prefect_api_url", "prefect_api_key", "prefect_api_auth_string", "prefect_pool", "metrics_namespace"),
    *("openaq_api_key", "api_keys", "mlflow_page", "prefect_page"),
}


def needed_by(service: Service, *, secret: bool) -> list[str]:
    """Names of the settings, or of the secrets, that a service needs."""
    return [name for name in Settings.model_fields if service in services_of(name) and is_secret(name) is secret]


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if default is None or is_secret(name):
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def example() -> str:
    """Text of .env.example."""
    lines = ["# Every setting with its default; copy to .env and change what you need."]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"# {variable_of(name)}={_default(name)}"]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Written by `make settings` from `src/hazecast/settings.py`. A setting is an environment variable or a line of",
        "`.env`. A secret may be a file instead: `VARIABLE_FILE=/path` for `hazecast up`, `secrets/VARIABLE` for the",
        "[compose stack](containers.md#secrets). Services are those of compose and of AWS; settings without one",
        "are options of `hazecast up`. On AWS a setting is a Terraform variable, or `–` if Terraform sets it itself.",
        "",
        "| setting | default | services | Terraform | description |",
        "|---|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "secret" if is_secret(name) else f"`{_default(name)}`" if _default(name) else ""
        cloud = (
            f"`{name}`" if _is_variable(name) or name in ("place", "schedule_timezone", "stale_after_hours") else "–"
        )
        cells = (f"`{variable_of(name)}`", default, ", ".join(services_of(name)), cloud, field.description)
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def compose(text: str) -> str:
    """docker-compose.yml with the part between the markers renewed."""
    lines = [START]
    for service in SERVICES:
        lines.append(f"x-{service}-settings: &{service}-settings")
        for name in needed_by(service, secret=False):
            lines.append(f"  {variable_of(name)}: {IN_COMPOSE.get(name, '')}".rstrip())
            alias = Settings.model_fields[name].validation_alias
            if name == "aws_region" and isinstance(alias, AliasChoices):  # boto3 reads the second
                lines.append(f"  {alias.choices[1]}: {IN_COMPOSE[name]}")
    lines.append(
        "# Whether a secret is set here; its value must be in .env or in secrets/, which no `docker inspect` shows."
    )
    lines.append("x-secrets-set: &secrets-set")
    for name in Settings.model_fields:
        if is_secret(name) and services_of(name):
            lines.append(f"  {variable_of(name)}: ${{{variable_of(name)}:+set}}")
    lines.append(END)
    before, rest = text.split(START)
    return before + "\n".join(lines) + rest.split(END)[1]


def _is_variable(name: str) -> bool:
    return bool(services_of(name)) and name not in OF_TERRAFORM


def _hcl_type(name: str) -> str:
    annotation: Any = Settings.model_fields[name].annotation
    if annotation in (int, float) or annotation == int | None:
        return "number"
    return "bool" if annotation is bool else "string"


def terraform() -> str:
    """Text of infrastructure/terraform/settings.tf."""
    names = [name for name in Settings.model_fields if _is_variable(name)]
    blocks = [
        "# Written by `make settings` from src/hazecast/settings.py; null is Hazecast's default (docs/settings.md)."
    ]
    blocks += [_variable(name) for name in names]
    plain, secret = ["locals {", "  settings = { for service, given in {"], []
    for service in SERVICES[:4]:
        of_service = [name for name in names if service in services_of(name)]
        plain += [f"    {service} = {{", *_rows([name for name in of_service if not is_secret(name)], 6), "    }"]
        quoted = ", ".join(f'"{variable_of(name)}"' for name in of_service if is_secret(name))
        secret.append(f"    {service:<9} = [{quoted}]")
    plain.append("  } : service => { for name, value in given : name => tostring(value) if value != null } }")
    values = ["  secret_settings = {", *_rows([name for name in names if is_secret(name)], 4), "  }"]
    blocks.append("\n".join([*plain, "", "  secret_names = {", *secret, "  }", "", *values, "}"]))
    return "\n\n".join(blocks) + "\n"


def _variable(name: str) -> str:
    description = str(Settings.model_fields[name].description).replace('"', '\\"')
    lines = [f'variable "{name}" {{', f'  description = "{description}"', f"  type        = {_hcl_type(name)}"]
    secret = ["  ephemeral   = true", "  sensitive   = true", '  default     = ""']
    return "\n".join([*lines, *(secret if is_secret(name) else ["  default     = null"]), "}"])


def _rows(names: list[str], indent: int) -> list[str]:
    width = max((len(variable_of(name)) for name in names), default=0)
    return [f"{' ' * indent}{variable_of(name):<{width}} = var.{name}" for name in names]


def written() -> dict[Path, str]:
    """Every file and its text."""
    stack = ROOT / "docker-compose.yml"
    return {
        ROOT / ".env.example": example(),
        ROOT / "docs" / "settings.md": page(),
        ROOT / "infrastructure" / "terraform" / "settings.tf": terraform(),
        stack: compose(stack.read_text()),
    }


if __name__ == "__main__":
    for path, content in written().items():
        path.write_text(content)
