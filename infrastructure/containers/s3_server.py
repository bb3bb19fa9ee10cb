"""The S3 store: Swift's four servers and two updaters as one service; when one ends, all end.

S3_USERS names the accounts ("tables artifacts"). The access key of an account is `account:hazecast`, its secret key
comes in S3_<ACCOUNT>_KEY. Everything is kept under /data, one copy; the rings say so and are part of the image.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

CONFIG = Path("/etc/swift")
WITH_USERS = Path("/tmp/proxy-server.conf")
DEVICE = Path("/data/d1")
PROGRAMS = ("account-server", "container-server", "object-server", "container-updater", "object-updater")


def main() -> int:
    """Start all, wait until one ends or somebody asks to stop; its exit code."""
    DEVICE.mkdir(parents=True, exist_ok=True)
    WITH_USERS.touch(mode=0o600)
    WITH_USERS.write_text((CONFIG / "proxy-server.conf").read_text() + users(os.environ))
    commands = [("swift-" + name, str(CONFIG / f"{config_of(name)}.conf"), "-v") for name in PROGRAMS]
    commands.append(("swift-proxy-server", str(WITH_USERS), "-v"))
    children = {subprocess.Popen(command).pid for command in commands}
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop(children))
    _, status = os.wait()
    stop(children)
    return os.waitstatus_to_exitcode(status)


def users(environment: "os._Environ[str]") -> str:
    """Lines for tempauth; each user owns its account and sees no other."""
    accounts = environment["S3_USERS"].split()
    return "".join(f"user_{name}_hazecast = {environment[f'S3_{name.upper()}_KEY']} .admin\n" for name in accounts)


def config_of(program: str) -> str:
    """The updaters share the configuration of the server of the same kind."""
    return f"{program.partition('-')[0]}-server"


def stop(children: set[int]) -> None:
    """Ask all to end; what is under way is not stored half, Swift renames into place."""
    for pid in children:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    sys.exit(main())
