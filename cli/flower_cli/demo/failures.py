"""What goes wrong in the shop: three kinds, each met by several tasks, each naming what it happened to."""


class PaymentDeclined(Exception):
    """The bank said no; trying again does not help."""


class GatewayTimeout(Exception):
    """A partner did not answer; trying again often helps."""


class RecordMissing(LookupError):
    """The database no longer has what the task was sent for."""
