"""Run a program with secrets from files: /run/secrets/NAME, or NAME_FILE=/run/secrets/x, sets NAME.

The program replaces this process, so it receives the signals. Secrets are in no image, compose file or
`docker inspect`. On AWS, Secrets Manager has no empty values: a single hyphen means none. HAZECAST_NAME_CONTENT is
written to a file for a setting that is a path.
"""

import os
import re
import sys
from pathlib import Path

SUFFIX, CONTENT, FOLDER = "_FILE", "_CONTENT", Path("/run/secrets")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")

for path in FOLDER.iterdir() if FOLDER.is_dir() else ():
    if VARIABLE.fullmatch(path.name):
        os.environ[path.name] = path.read_text().strip()
for name, value in list(os.environ.items()):
    if name.endswith(SUFFIX) and value.startswith(f"{FOLDER}/"):
        os.environ[name.removesuffix(SUFFIX)] = Path(value).read_text().strip()
        del os.environ[name]
    elif value == "-":
        del os.environ[name]
    elif name.startswith("HAZECAST_") and name.endswith(CONTENT):
        variable = name.removesuffix(CONTENT)
        written = Path("/tmp", variable)
        written.write_text(value)
        written.chmod(0o600)
        os.environ[variable] = str(written)
        del os.environ[name]
os.execvp(sys.argv[1], sys.argv[1:])
