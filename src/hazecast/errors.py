"""Every error Hazecast raises on purpose.

HazecastError
├── SettingsError         a setting is wrong or a port is in use; the message names the setting
├── ContractError         rows violate a table contract: a defect in the code or in its input
├── NotKnown              a station, pollutant or time that does not exist; the message lists those that do
├── QualityError          a batch too bad to be stored; the stored tables stay as they are
├── TooLittleHistory      not enough valid observations to train or validate a model
├── ModelUnusable         a stored model cannot forecast here; retrain
│   ├── ModelOutdated     it was trained for the inputs of another release
│   └── ModelDamaged      its files are damaged or missing
├── AlreadyRunning        another process runs the same step; wait for it
├── SourceError
│   ├── SourceUnavailable the service cannot be reached: try again later
│   └── SourceRefused     will fail again until something changes (malformed file, wrong key)
├── DeliveryError         an alert did not reach its channel; it stays pending
├── StoreError            tables cannot be read or written; the message names the table and the remedy
└── RegistryError
    └── NoChampion        no model has been promoted yet
"""


class HazecastError(Exception):
    """Base of all errors that a user can act on; shells print the message without a traceback."""


class SettingsError(HazecastError):
    """A setting is missing, wrong or impossible here."""


class UsageError(SettingsError):
    """An argument of the command line is wrong; commands end with exit code 2."""


class ContractError(HazecastError):
    """Rows violate the contract of their table."""


class NotKnown(HazecastError):
    """A requested object does not exist.

    Args:
        kind: of the object, as a word of the glossary ("station").
        requested: the value in the request.
        known: the values that exist.
    """

    def __init__(self, kind: str, requested: str, known: list[str]) -> None:
        self.kind, self.requested, self.known = kind, requested, known
        listed = ", ".join(known) if known else "none yet"
        super().__init__(f"unknown {kind} {requested!r}; known: {listed}")


class QualityError(HazecastError):
    """A batch of observations is too bad to be stored."""


class TooLittleHistory(HazecastError):
    """Not enough valid observations to train or validate a model."""


class ModelUnusable(HazecastError):
    """A stored model cannot forecast here; a training replaces it."""


class ModelOutdated(ModelUnusable):
    """A stored model expects other inputs than this release computes."""


class ModelDamaged(ModelUnusable):
    """Files of a stored model are missing, or are not as they were saved."""


class AlreadyRunning(HazecastError):
    """Another process runs the same step, which must not run twice at once."""


class SourceError(HazecastError):
    """A source did not deliver."""


class SourceUnavailable(SourceError):
    """The source cannot be reached now; a later try may succeed."""


class SourceRefused(SourceError):
    """The source will not deliver until something changes."""


class DeliveryError(HazecastError):
    """An alert did not reach its channel."""


class StoreError(HazecastError):
    """A table cannot be read or written."""


class RegistryError(HazecastError):
    """The model registry cannot be used."""


class NoChampion(RegistryError):
    """No model has the alias `champion`."""
