"""Apply, plan again and destroy an environment in an emulated AWS: `make infra-test`. Prints Terraform's output."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import arriving
import boto3
from cloud import CannotRun, Terraform, domain, emulator, environment
from policies import attached, excesses, policies, silences

NOTHING_CHANGES, CHANGES = 0, 2
# Managed policies of AWS for backups and for enhanced database monitoring.
_SERVICE_POLICIES = {
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "service-role/AmazonRDSEnhancedMonitoringRole",
}


_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}


def live(terraform: Terraform, choices: tuple[str, ...], address: str, *, is_protected: bool) -> None:
    """Initialise, validate, apply, plan again and destroy what these options describe.

    Staging, where nothing is protected, also gets a value for every setting, and the tasks must see them.

    Raises:
        SystemExit: a step failed, the second plan changes something, or destroying leaves something.
    """
    unlocked = (*choices, "-var=is_protected=false")
    print(terraform.init(), flush=True)
    _step(terraform, "fmt", "-check", "-recursive")
    _step(terraform, "validate")
    _step(terraform, "plan", *choices, "-out=first.tfplan")
    _step(terraform, "apply", "first.tfplan")
    _step(terraform, "plan", *choices, "-detailed-exitcode")
    _judge(terraform)
    if not is_protected:
        _require_settings(address)
    if is_protected:
        _step(terraform, "apply", "-auto-approve", *unlocked)
    _step(terraform, "destroy", "-auto-approve", *unlocked)
    _step(terraform, "plan", "-destroy", "-detailed-exitcode", *unlocked)


def _choices(name: str, address: str) -> tuple[str, ...]:
    if name != "domain":
        return (f"-var-file=environments/{name}.tfvars",)
    route53 = boto3.client("route53", endpoint_url=address, **_KEYS)
    zone = route53.create_hosted_zone(Name="example.org", CallerReference=name)["HostedZone"]["Id"]
    return ("-var-file=environments/prod.tfvars", *domain(zone.removeprefix("/hostedzone/")))


def _require_settings(address: str) -> None:
    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=address, **_KEYS)

    absent = arriving.missing(client, "air-pollution-staging")
    print(f"\n{len(arriving.VARIABLES)} settings given; not seen by their tasks: {absent or 'none'}", flush=True)
    if absent:
        raise SystemExit("infra-test: a setting does not arrive")


def _judge(terraform: Terraform) -> None:
    state = json.loads(terraform.run("show", "-json").stdout)
    found = policies(state)
    wide = [excess for address, policy in found.items() for excess in excesses(address, policy)]
    wide += sorted(attached(state) - _SERVICE_POLICIES)
    wide += [silence for address, policy in found.items() for silence in silences(address, policy)]
    print(f"\n{len(found)} policies as applied: {wide or 'none allows all actions or all principals'}", flush=True)
    if wide or not found:
        raise SystemExit("infra-test: a policy allows too much, or blocks EventBridge")


def _step(terraform: Terraform, *words: str) -> None:
    print(f"\n$ terraform {' '.join(words)}", flush=True)
    started = time.monotonic()
    code = terraform.run(*words, show=True).returncode
    print(f"[{time.monotonic() - started:.0f} s, exit {code}]", flush=True)
    if code != NOTHING_CHANGES:
        reason = "the configuration is not what was applied" if code == CHANGES else "it failed"
        raise SystemExit(f"infra-test: terraform {words[0]}: {reason}")


def main() -> None:
    """One environment after the other, each in an AWS of its own.

    Raises:
        SystemExit: as for `live`, or Terraform is not installed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "environments", nargs="*", default=["staging", "prod"], help="staging, prod, minimal, or domain: prod with one"
    )
    parser.add_argument(
        "--or-skip", action="store_true", help="exit 0 with a message if Terraform or its provider is not installed"
    )
    options = parser.parse_args()
    try:
        for name in options.environments:
            _whole(name)
    except CannotRun as err:
        if not options.or_skip:
            raise SystemExit(f"infra-test: {err}") from err
        print(f"infra-test: skipped, {err}")


def _whole(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "aws.log"
        with emulator(log) as address:
            given = arriving.given() if name == "staging" else {}
            terraform = Terraform(Path(folder) / "terraform", environment(address) | given)
            try:
                live(terraform, _choices(name, address), address, is_protected=name != "staging")
            except SystemExit:
                print("\n".join(line for line in log.read_text().splitlines() if "Error" in line or '" 500 ' in line))
                raise
        missing = [line for line in log.read_text().splitlines() if line.startswith("MISSING")]
    print(f"\n== {name}: applied, second plan empty, destroyed; actions not emulated: {missing or 'none'}")


if __name__ == "__main__":
    main()
