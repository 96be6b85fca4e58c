"""Why a server says no: a status, a word for programs, a sentence for people; always as JSON."""

from collections.abc import Mapping
from typing import Any, Final

from retinula.errors import RetinulaError

# Every refusal there is, by the word that programs read.
STATUSES: Final = {
    "malformed": 400,
    "wrong_host": 400,
    "unauthorized": 401,
    "cross_site": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_slow": 408,
    "too_large": 413,
    "too_many_pictures": 413,
    "unsupported_type": 415,
    "unreadable": 422,
    "too_many_waiting": 429,
    "failed": 500,
    "overloaded": 503,
    "too_slow": 503,
    "stopping": 503,
}
_EXTRA_HEADERS: Final = {401: {"www-authenticate": "Bearer"}, 429: {"retry-after": "1"}, 503: {"retry-after": "1"}}


class Refusal(RetinulaError):
    """A request that is not answered.

    Attributes:
        code: one of `STATUSES`.
        status: of HTTP.
        message: one sentence for people.
        headers: what HTTP wants to be said beside the status.
    """

    def __init__(self, code: str, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.code = code
        self.status = STATUSES[code]
        self.message = message
        self.headers = {**_EXTRA_HEADERS.get(self.status, {}), **(headers or {})}

    def to_dict(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}
