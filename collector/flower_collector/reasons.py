"""What cannot land, inside the gate."""

from flower_store.reasons import Reason


class Refused(Exception):
    """This cannot land. Raised and caught inside the gate."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)
