"""What can go wrong with an embedded server. Trying again helps with none of them, a person has to act.

EmbeddedError
├── NotFound     no suitable program is installed
├── InUse        another process has the directory
├── Unusable     the directory or the account cannot be used, for the reason given
└── DidNotStart  the program ended or stayed silent; the message ends with the last lines of its log
"""


class EmbeddedError(Exception):
    """Any failure of an embedded server; its message is one sentence for the user."""


class NotFound(EmbeddedError):
    """No suitable program is installed."""


class InUse(EmbeddedError):
    """Another process has the directory."""


class Unusable(EmbeddedError):
    """The directory or the account cannot be used."""


class DidNotStart(EmbeddedError):
    """The program ended at once, or was not ready in time."""
