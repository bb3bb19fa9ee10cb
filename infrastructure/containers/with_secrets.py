"""Start a program with its secrets: NAME_FILE=/run/secrets/x becomes NAME, the way the official images of databases do.

The program takes this one's place, so it gets the signals. A secret stands in no image, no compose file and no
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
