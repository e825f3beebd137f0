"""Why a message or an event was set aside: a bounded set of words, each a metric label."""

from enum import StrEnum


class Reason(StrEnum):
    """The first group never lands; of the second the event lands, mended, and its original is kept beside it."""

    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    COMPRESSED = "compressed"
    ENVELOPE = "envelope"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    TOO_DEEP = "too_deep"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_EVENT = "not_an_event"
    UNKNOWN_TYPE = "unknown_type"
    MISSING_FIELD = "missing_field"
    WRONG_FIELD = "wrong_field"
    TASK_ID_TOO_LONG = "task_id_too_long"
    NAME_TOO_LONG = "name_too_long"
    NUL = "nul"
    SURROGATE = "surrogate"
    NOT_FINITE = "not_finite"
    TIMESTAMP_RANGE = "timestamp_range"
    REFUSED_BY_DATABASE = "refused_by_database"
    DEFECT = "defect"

    NUL_REPLACED = "nul_replaced"
    SURROGATE_REPLACED = "surrogate_replaced"
    NOT_FINITE_REPLACED = "not_finite_replaced"
    NUMBER_DROPPED = "number_dropped"
    TEXT_CUT = "text_cut"
