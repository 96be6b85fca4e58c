"""Reading the pickles of the official CIFAR files without the power that pickles have.

A pickle is a program. This is a small machine of our own for the few instructions that describe arrays of whole
numbers, lists, dictionaries, strings, bytes and whole numbers; it can import and call nothing, so there is nothing
to be tricked into. It reads what Python 2 and Python 3 write in all protocols up to 5. What a pickle may name and
call stands in `pickled_arrays`. Knows nothing of what the values mean.
"""

import ast
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from retinula.datasets.pickled_arrays import CALLS, NAMES, Name, NumberType, RefusedError, Unfilled, array, shown
from retinula.errors import InputError, first_line

# The largest official file is 155,249,918 bytes and about 255,000 instructions long. An instruction of one byte can
# make an object of a hundred.
MAX_BYTES: Final = 512 * 1024 * 1024
MAX_INSTRUCTIONS: Final = 2_000_000

_LONG_STRING: Final = 64 * 1024  # beyond that a string stays where it is and is not copied
_MAX_QUOTED: Final = 64 * 1024
_MAX_DIGITS: Final = 20
_ESCAPED: Final = r"""\\(?:[\\'"nrt]|x[0-9a-f]{2})"""
_QUOTED: Final = re.compile(rf"""'(?:[^\\']|{_ESCAPED})*'|"(?:[^\\"]|{_ESCAPED})*\"""")


def load(content: bytes, name: str) -> Any:
    """Return the value that a pickle describes.

    Strings of Python 2 come as bytes, and long ones as a view of `content`. Tuples, None and truth values, which
    the description of arrays needs, are let through.

    Args:
        content: the whole pickle.
        name: what to call it in errors.

    Raises:
        InputError: it is cut short, too large, or asks for anything else.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is refused: a pickle of {len(content):,} bytes, more than {MAX_BYTES:,}")
    try:
        return _Machine(content).run()
    except RefusedError as error:
        raise InputError(f"{name} is refused: {error}") from error
    except (IndexError, KeyError, struct.error):
        raise InputError(f"{name} is damaged: it is not a complete pickle") from None
    except (ArithmeticError, AttributeError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        raise InputError(f"{name} is damaged ({first_line(error)})") from error


class _Machine:
    """A stack, a memory, and one method an instruction."""

    def __init__(self, content: bytes):
        self.content = content
        self.view = memoryview(content)
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memory: dict[int, Any] = {}
        self.num_copied = 0

    def run(self) -> Any:
        for _ in range(MAX_INSTRUCTIONS):
            code = self.content[self.at]
            self.at += 1
            act = _INSTRUCTIONS.get(code)
            if act is None:
                if code == _STOP:
                    (result,) = self.stack
                    return result
                raise RefusedError(f"it asks for more than arrays, lists, dictionaries, strings and numbers ({code})")
            act(self)
        raise RefusedError(f"it is longer than {MAX_INSTRUCTIONS:,} instructions")

    # Reading arguments

    def number(self, form: struct.Struct) -> int:
        (value,) = form.unpack_from(self.content, self.at)
        self.at += form.size
        return int(value)

    def take(self, length: int) -> memoryview:
        end = self.at + length
        if length < 0 or end > len(self.content):
            raise IndexError
        taken = self.view[self.at : end]
        self.at = end
        return taken

    def line(self, encoding: str = "ascii") -> str:
        end = self.content.index(b"\n", self.at)
        text = str(self.view[self.at : end], encoding)
        self.at = end + 1
        return text

    # Stack and memory

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def above_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    def remember(self, place: int) -> None:
        value = self.stack[-1]
        self.memory[place] = value
        if type(value) is Unfilled:
            value.places.append(place)

    def remember_far(self) -> None:
        place = int.from_bytes(self.content[self.at : self.at + 4], "little")
        self.at += 4
        self.remember(place)

    def recall(self, place: int) -> None:
        self.stack.append(self.memory[place])

    # Containers

    def append(self) -> None:
        value = self.stack.pop()
        _list(self.stack[-1]).append(value)

    def extend(self) -> None:
        values = self.above_mark()
        _list(self.stack[-1]).extend(values)

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _fill(self.stack[-1], [key, value])

    def set_items(self) -> None:
        values = self.above_mark()
        _fill(self.stack[-1], values)

    def dictionary(self) -> None:
        values = self.above_mark()
        self.stack.append({})
        _fill(self.stack[-1], values)

    def gather_list(self) -> None:
        values = self.above_mark()
        self.stack.append(values)

    def gather_tuple(self) -> None:
        values = self.above_mark()
        self.stack.append(tuple(values))

    def gather(self, count: int) -> None:
        values = self.stack[-count:]
        if len(values) != count:
            raise IndexError
        self.stack[-count:] = [tuple(values)]

    # Strings and numbers

    def small_number(self) -> None:
        self.stack.append(self.content[self.at])
        self.at += 1

    def short_string(self) -> None:
        start = self.at + 1
        self.at = start + self.content[self.at]
        if self.at > len(self.content):
            raise IndexError
        self.stack.append(self.content[start : self.at])

    def string(self, form: struct.Struct) -> None:
        taken = self.take(self.number(form))
        self.stack.append(taken if len(taken) > _LONG_STRING else bytes(taken))

    def unicode(self, form: struct.Struct) -> None:
        self.stack.append(str(self.take(self.number(form)), "utf-8", "surrogatepass"))

    def quoted(self) -> None:
        # Protocol 0 writes strings as Python 2 would show them, which is a literal of bytes without its b.
        line = self.line()
        if len(line) > _MAX_QUOTED or not _QUOTED.fullmatch(line):
            raise RefusedError("it has a string that is none")
        self.stack.append(ast.literal_eval("b" + line))

    def decimal(self) -> None:
        line = self.line()
        if line in ("00", "01"):
            self.stack.append(line == "01")
        else:
            digits = line.removesuffix("L")
            if len(digits) > _MAX_DIGITS:
                raise RefusedError("it has a number of impossible length")
            self.stack.append(int(digits))

    def little_endian(self) -> None:
        self.stack.append(int.from_bytes(self.take(self.number(_BYTE)), "little", signed=True))

    # Names, and what stands for calling them

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise RefusedError("it asks for a name that is no text")
        known = NAMES.get((module, name))
        if known is None:
            raise RefusedError(f"it asks for {shown(module)}.{shown(name)}")
        self.stack.append(Name(known))

    def name_from_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.name(module, name)

    def call(self) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        if type(called) is not Name or type(arguments) is not tuple:
            raise RefusedError("it calls what is no name")
        act = CALLS.get(called)
        if act is None:
            raise RefusedError(f"it calls {called}")
        try:
            made = act(*arguments)
        except TypeError as error:
            raise RefusedError(f"it calls {called} with something else than that takes") from error
        self.stack.append(made)
        if type(made) is bytes:
            # One long text could be copied with every third instruction.
            self.num_copied += len(made)
            if self.num_copied > len(self.content):
                raise RefusedError("it makes more bytes than it has")

    def build(self) -> None:
        state, built = self.stack.pop(), self.stack[-1]
        if type(built) not in (NumberType, Unfilled):
            raise RefusedError("it changes something that is no array")
        if type(state) is not tuple:
            raise RefusedError("it fills an array by something else than a tuple")
        if type(built) is NumberType:
            built.settle(state)
            return
        _, shape, kind, fortran, data = state
        self.stack[-1] = filled = array(data, kind, shape, "F" if fortran else "C")
        for place in built.places:
            self.memory[place] = filled


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise RefusedError("it adds to something that is no list")
    return value


def _fill(target: Any, items: list[Any]) -> None:
    if type(target) is not dict or len(items) % 2:
        raise RefusedError("it adds to something that is no dictionary")
    keys = items[::2]
    # Numbers as keys could be chosen to collide.
    if not all(type(key) in (str, bytes) for key in keys):
        raise RefusedError("it has a dictionary with keys that are no strings")
    target.update(zip(keys, items[1::2], strict=True))


_BYTE: Final = struct.Struct("<B")
_SHORT: Final = struct.Struct("<H")
_SIGNED: Final = struct.Struct("<i")
_UNSIGNED: Final = struct.Struct("<I")
_LONG: Final = struct.Struct("<Q")
_STOP: Final = ord(".")

# Names as in the standard library's pickletools.
_INSTRUCTIONS: Final[Mapping[int, Callable[[_Machine], object]]] = {
    0x80: lambda m: m.take(1),  # PROTO
    0x95: lambda m: m.take(8),  # FRAME
    ord("("): _Machine.mark,
    ord("0"): lambda m: m.stack.pop(),  # POP
    ord("q"): lambda m: m.remember(m.number(_BYTE)),  # BINPUT
    ord("r"): _Machine.remember_far,  # LONG_BINPUT
    ord("p"): lambda m: m.remember(int(m.line())),  # PUT
    0x94: lambda m: m.remember(len(m.memory)),  # MEMOIZE
    ord("h"): lambda m: m.recall(m.number(_BYTE)),  # BINGET
    ord("j"): lambda m: m.recall(m.number(_UNSIGNED)),  # LONG_BINGET
    ord("g"): lambda m: m.recall(int(m.line())),  # GET
    ord("]"): lambda m: m.stack.append([]),  # EMPTY_LIST
    ord("l"): _Machine.gather_list,  # LIST
    ord("a"): _Machine.append,
    ord("e"): _Machine.extend,  # APPENDS
    ord("}"): lambda m: m.stack.append({}),  # EMPTY_DICT
    ord("d"): _Machine.dictionary,  # DICT
    ord("s"): _Machine.set_item,
    ord("u"): _Machine.set_items,
    ord(")"): lambda m: m.stack.append(()),  # EMPTY_TUPLE
    ord("t"): _Machine.gather_tuple,  # TUPLE
    0x85: lambda m: m.gather(1),  # TUPLE1
    0x86: lambda m: m.gather(2),
    0x87: lambda m: m.gather(3),
    ord("N"): lambda m: m.stack.append(None),  # NONE
    0x88: lambda m: m.stack.append(True),  # NEWTRUE
    0x89: lambda m: m.stack.append(False),  # NEWFALSE
    ord("K"): _Machine.small_number,  # BININT1
    ord("M"): lambda m: m.stack.append(m.number(_SHORT)),  # BININT2
    ord("J"): lambda m: m.stack.append(m.number(_SIGNED)),  # BININT
    ord("I"): _Machine.decimal,  # INT
    ord("L"): _Machine.decimal,  # LONG
    0x8A: _Machine.little_endian,  # LONG1
    ord("S"): _Machine.quoted,  # STRING
    ord("U"): _Machine.short_string,  # SHORT_BINSTRING
    ord("T"): lambda m: m.string(_SIGNED),  # BINSTRING
    ord("C"): _Machine.short_string,  # SHORT_BINBYTES
    ord("B"): lambda m: m.string(_UNSIGNED),  # BINBYTES
    0x8E: lambda m: m.string(_LONG),  # BINBYTES8
    0x96: lambda m: m.string(_LONG),  # BYTEARRAY8
    ord("V"): lambda m: m.stack.append(m.line("raw-unicode-escape")),  # UNICODE
    0x8C: lambda m: m.unicode(_BYTE),  # SHORT_BINUNICODE
    ord("X"): lambda m: m.unicode(_UNSIGNED),  # BINUNICODE
    0x8D: lambda m: m.unicode(_LONG),  # BINUNICODE8
    ord("c"): lambda m: m.name(m.line(), m.line()),  # GLOBAL
    0x93: _Machine.name_from_stack,  # STACK_GLOBAL
    ord("R"): _Machine.call,  # REDUCE
    ord("b"): _Machine.build,
}
