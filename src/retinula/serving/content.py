"""From the body of a request to the pictures in it and what is asked about them.

Three forms: the bytes of one picture, a form with files (`multipart/form-data`), JSON with base64. Everything stays
in memory. Bodies are hostile: whatever is wrong with one is a `Refusal`. Knows nothing of connections or networks.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from retinula.serving.limits import Limits
from retinula.serving.refusals import Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

DEFAULT_TOP: Final = 5
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
RAW: Final = "application/octet-stream"  # or image/anything
PARAMETERS: Final = frozenset({"top", "include"})

_MAX_NAME: Final = 255  # characters of a picture's name that are given back
_MAX_FIELD: Final = 1024  # bytes of a field that is no file
_MAX_FIELDS: Final = 16  # that are no files, or stand behind the `?`
_MAX_HEADERS: Final = 8  # of a part of a form
_MAX_HEADER: Final = 4096  # bytes of one; taking it to pieces may cost the square of its length
_PUNCTUATION_EACH: Final = 64  # of JSON, that one picture may need


class Upload(NamedTuple):
    """A picture as it came: what the client calls it, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Question:
    """What a request asks.

    Attributes:
        pictures: at least one.
        top: how many classes to name.
        include: what is wanted beside the classes, of what the model offers.
    """

    pictures: tuple[Upload, ...]
    top: int
    include: frozenset[str]


def read_question(
    content_type: str, body: bytes, query: Iterable[tuple[str, str]], limits: Limits, offers: frozenset[str]
) -> Question:
    """Read a request's body; what the query says of `top` and `include` goes before what the body says.

    Args:
        content_type: the header, with its parameters; nothing where there is none.
        body: all of it.
        query: names and values behind the `?`.
        limits: of bytes and pictures.
        offers: what may be included.

    Raises:
        Refusal: unsupported_type, malformed, too_many_pictures.
    """
    asked = list(query)
    if len(asked) > _MAX_FIELDS:
        raise Refusal("malformed", f"behind the ? are more than {_MAX_FIELDS} values")
    unknown = sorted({name for name, _ in asked} - PARAMETERS)
    if unknown:
        raise Refusal("malformed", f"unknown parameter {unknown[0][:80]!r}; there are: include, top")
    kind, options = parse_options_header(content_type[:_MAX_HEADER])
    media_type = kind.decode("latin-1")
    if not body:
        raise Refusal("malformed", "the body is empty: send a picture, a form with files, or JSON")
    if media_type == JSON:
        pictures, said = _from_json(body, limits)
    elif media_type == FORM:
        pictures, said = _from_form(body, options, limits)
    elif media_type == RAW or media_type.startswith("image/"):
        pictures, said = [Upload("", body)], {}
    else:
        found = f"not {media_type[:80]!r}" if media_type else "and there is none"
        raise Refusal("unsupported_type", f"Content-Type is image/*, {RAW}, {FORM} or {JSON}, {found}")
    if not pictures:
        raise Refusal("malformed", "there is no picture in the request")
    values: dict[str, Any] = {**said, **_joined(asked)}
    return Question(tuple(pictures), _top(values.get("top")), _include(values.get("include"), offers))


def _from_json(body: bytes, limits: Limits) -> tuple[list[Upload], dict[str, Any]]:
    # A small text can become a hundred times as much memory when it is read: [[],[],[], ...
    punctuation = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    if punctuation > _PUNCTUATION_EACH * (limits.max_pictures + 1):
        raise Refusal("malformed", "the JSON has more in it than a request can ask")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal("malformed", "the body is not JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("pictures"), list):
        raise Refusal("malformed", 'the JSON is {"pictures": [base64 or {"name": ..., "data": base64}], "top": 5}')
    unknown = sorted(content.keys() - PARAMETERS - {"pictures"})
    if unknown:
        raise Refusal("malformed", f"unknown key {unknown[0][:80]!r}; there are: include, pictures, top")
    entries = content.pop("pictures")
    _check_number(len(entries), limits)
    return [_json_picture(entry, number) for number, entry in enumerate(entries, start=1)], content


def _json_picture(entry: Any, number: int) -> Upload:
    if isinstance(entry, str):
        entry = {"data": entry}
    if not isinstance(entry, dict) or not entry.keys() <= {"name", "data"}:
        raise Refusal("malformed", f'picture {number} is base64, or {{"name": ..., "data": base64}}')
    data, name = entry.get("data"), entry.get("name", "")
    if not isinstance(data, str) or not isinstance(name, str):
        raise Refusal("malformed", f"name and data of picture {number} are text")
    if data.startswith("data:"):  # as browsers write it: data:image/png;base64,iVBO...
        data = data.partition(",")[2]
    try:
        return Upload(_tidy(name), base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError) as error:  # the latter where it is not even ASCII
        raise Refusal("malformed", f"picture {number} is not base64") from error


@dataclass
class _Part:
    headers: dict[str, str] = field(default_factory=dict)
    header_name: bytes = b""
    header_value: bytes = b""
    content: bytearray = field(default_factory=bytearray)


class _FormReader:
    """Takes the pieces that the parser of forms finds; in memory, where Starlette's own writes to the disk."""

    def __init__(self, limits: Limits):
        self.pictures: list[Upload] = []
        self.fields: list[tuple[str, str]] = []
        self.ended = False
        self._limits = limits
        self._part = _Part()
        self._name = ""
        self._filename: str | None = None

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_ends,
            "on_end": self._all_ends,
        }

    def _part_begins(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _header_ends(self) -> None:
        part = self._part
        part.headers[part.header_name.decode("latin-1").lower()] = part.header_value.decode("latin-1")
        part.header_name = part.header_value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._part.headers.get("content-disposition"))
        if b"name" not in options:
            raise Refusal("malformed", "a part of the form has no name")
        self._name = options[b"name"].decode("utf-8", "replace")
        filename = options.get(b"filename")
        self._filename = None if filename is None else filename.decode("utf-8", "replace")
        if self._filename is not None:
            _check_number(len(self.pictures) + 1, self._limits)
        elif self._name not in PARAMETERS:
            hint = "a picture needs a file name, as in: curl -F picture=@cat.jpg"
            raise Refusal("malformed", f"unknown field {self._name[:80]!r} of the form; {hint}")
        elif len(self.fields) >= _MAX_FIELDS:
            raise Refusal("malformed", f"the form has more than {_MAX_FIELDS} fields beside its pictures")
        elif self._name != "include" and self._name in dict(self.fields):
            raise Refusal("malformed", f"the form has {self._name} more than once")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._part.content += data[start:end]
        if self._filename is None and len(self._part.content) > _MAX_FIELD:
            raise Refusal("malformed", f"the field {self._name} is longer than {_MAX_FIELD} bytes")

    def _part_ends(self) -> None:
        if self._filename is None:
            self.fields.append((self._name, self._part.content.decode("utf-8", "replace")))
        else:
            self.pictures.append(Upload(_tidy(self._filename), bytes(self._part.content)))
        self._part = _Part()

    def _all_ends(self) -> None:
        self.ended = True


def _from_form(body: bytes, options: Mapping[bytes, bytes], limits: Limits) -> tuple[list[Upload], dict[str, Any]]:
    boundary = options.get(b"boundary")
    if not boundary:
        raise Refusal("malformed", f"the Content-Type {FORM} names no boundary")
    reader = _FormReader(limits)
    try:
        parser = MultipartParser(
            boundary, reader.callbacks(), max_header_count=_MAX_HEADERS, max_header_size=_MAX_HEADER
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refusal("malformed", "the form is broken") from error
    if not reader.ended:
        raise Refusal("malformed", "the form is cut short")
    return reader.pictures, _joined(reader.fields)


def _joined(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    # A form or a query writes a list as several values of one name; commas in one value are as good.
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).extend([value] if value else [])
    return {name: ",".join(each) for name, each in values.items()}


def _check_number(number: int, limits: Limits) -> None:
    if number > limits.max_pictures:
        raise Refusal("too_many_pictures", f"a request may have {limits.max_pictures} pictures")


def _tidy(name: str) -> str:
    # Surrogates, which JSON can name and UTF-8 cannot write, would break the answer.
    return name.encode("utf-8", "replace").decode("utf-8")[:_MAX_NAME]


def _top(value: Any) -> int:
    if value is None:
        return DEFAULT_TOP
    number = (
        int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 7 else value
    )
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise Refusal("malformed", "top is how many classes to name, a whole number from 1")
    return number


def _include(value: Any, offers: frozenset[str]) -> frozenset[str]:
    if value is None:
        return frozenset()
    names = [name for part in value.split(",") if (name := part.strip())] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refusal("malformed", "include is a list of words")
    unknown = sorted(set(names) - offers)
    if unknown:
        known = f"this server can include {', '.join(sorted(offers))}"
        raise Refusal("malformed", f"cannot include {unknown[0][:80]!r}; {known}")
    return frozenset(names)
