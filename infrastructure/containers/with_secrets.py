"""Run a program with secrets from files: NAME_FILE=/run/secrets/x sets NAME, as the official database images do.

The program replaces this process, so it receives the signals. Secrets are in no image, compose file or
`docker inspect`.
"""

import os
import sys
from pathlib import Path

SUFFIX, FOLDER = "_FILE", "/run/secrets/"

for name, value in list(os.environ.items()):
    if name.endswith(SUFFIX) and value.startswith(FOLDER):
        os.environ[name.removesuffix(SUFFIX)] = Path(value).read_text().strip()
        del os.environ[name]
os.execvp(sys.argv[1], sys.argv[1:])
