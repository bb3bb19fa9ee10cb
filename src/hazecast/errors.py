"""Every error Hazecast raises on purpose.

HazecastError
├── SettingsError         a setting is wrong or a port is taken; the message names the setting
├── ContractError         rows break a table contract: a defect in our own code or in what was handed to it
├── NotKnown              a station, pollutant or time that nobody has; the message lists what exists
├── QualityError          a batch too bad to be stored; what was stored stays as it was
├── TooLittleHistory      not enough trustworthy observations to train or judge a model
├── ModelOutdated         a stored model was trained for the inputs of another release; train anew
├── AlreadyRunning        somebody else is at the same work; wait for them
├── SourceError
│   ├── SourceUnavailable the outside world is absent: try again later
│   └── SourceRefused     will fail again until somebody changes something (malformed file, wrong key)
├── DeliveryError         an alert did not reach its channel; it stays owed
├── StoreError            tables cannot be read or written; the message names the table and the remedy
└── RegistryError
    └── NoChampion        no model has earned the alias yet
"""


class HazecastError(Exception):
    """Base of all errors that a person can act on; shells print the message without a traceback."""


class SettingsError(HazecastError):
    """A setting is missing, wrong or impossible here."""


class ContractError(HazecastError):
    """Rows do not fulfil the contract of their table."""


class NotKnown(HazecastError):
    """Asked for something that does not exist.

    Args:
        kind: what was asked for, as a word of the glossary ("station").
        asked: the value asked for.
        known: what exists instead.
    """

    def __init__(self, kind: str, asked: str, known: list[str]) -> None:
        self.kind, self.asked, self.known = kind, asked, known
        listed = ", ".join(known) if known else "none yet"
        super().__init__(f"unknown {kind} {asked!r}; known: {listed}")


class QualityError(HazecastError):
    """A batch of observations is too bad to be stored."""


class TooLittleHistory(HazecastError):
    """Not enough trustworthy observations to train or judge a model."""


class ModelOutdated(HazecastError):
    """A stored model expects other inputs than this release builds."""


class AlreadyRunning(HazecastError):
    """Another process is at the same work, which must not run twice at once."""


class SourceError(HazecastError):
    """A source did not deliver."""


class SourceUnavailable(SourceError):
    """The source cannot be reached now; a later try may succeed."""


class SourceRefused(SourceError):
    """The source will not deliver until something is changed."""


class DeliveryError(HazecastError):
    """An alert did not reach its channel."""


class StoreError(HazecastError):
    """A table cannot be read or written."""


class RegistryError(HazecastError):
    """The model registry cannot answer."""


class NoChampion(RegistryError):
    """No model holds the alias `champion`."""
