"""Loads and stores whose independence the compiler may take for granted.

LLVM vectorizes a loop only where it can show that what is written is not read by a later turn. It cannot for rows that
are looked up by index, nor for more than a few buffers at once. `load` and `store` carry the promise in the code: what
`store` writes in a loop is never read by `load` in the same loop, unless the value written is made from the one read.
The promise is the caller's to keep.

`load_64` and `load_16` read neighboring pixels at once, from any byte.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _scope(builder: Any) -> Any:
    module = builder.module
    domain = module.add_metadata([ir.MetaDataString(module, "sightline.rows")])
    return module.add_metadata([module.add_metadata([ir.MetaDataString(module, "sightline.read"), domain])])


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [index])


@intrinsic  # type: ignore[untyped-decorator]
def load(_typing: Any, array: Any, index: Any) -> Any:
    """Return array[index] of a contiguous array, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(_pointer(context, builder, signature.args[0], *arguments))
        found.set_metadata("alias.scope", _scope(builder))
        return found

    return array.dtype(array, index), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_typing: Any, array: Any, index: Any, _value: Any) -> Any:
    """Set array[index] of a contiguous array to a value of its type, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        written = builder.store(arguments[2], _pointer(context, builder, signature.args[0], *arguments[:2]))
        written.set_metadata("noalias", _scope(builder))
        return context.get_dummy_value()

    return types.void(array, index, array.dtype), generate


@intrinsic  # type: ignore[untyped-decorator]
def as_float(_typing: Any, bits: Any) -> Any:
    """Return the float32 that has the bits of an int32."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(bits), generate


@intrinsic  # type: ignore[untyped-decorator]
def multiply_add(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a · b + c of int32 numbers as int32; Numba makes 64-bit products of them, which vectors are slow at."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.add(builder.mul(*arguments[:2]), arguments[2])

    return types.int32(a, b, c), generate


@intrinsic  # type: ignore[untyped-decorator]
def wide_vectors(_typing: Any) -> Any:
    """Let the calling function use the widest registers there are; LLVM is shy of 512 bits on some processors."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # llvmlite lets only attributes pass that it knows by name.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        # What does not fit into registers would else cross the cache's lines each time.
        set.add(builder.function.attributes, "alignstack(64)")
        return context.get_dummy_value()

    return types.void(), generate


def _unaligned(bits: int, kind: Any) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def load_bits(_typing: Any, array: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _pointer(context, builder, signature.args[0], *arguments)
            found = builder.load(builder.bitcast(place, ir.IntType(bits).as_pointer()))
            found.align = 1
            return found

        return kind(array, index), generate

    return load_bits


load_64 = _unaligned(64, types.uint64)
"""`load_64(bytes, i)`: bytes i to i + 7 as one number, the first lowest."""
load_16 = _unaligned(16, types.uint16)
"""`load_16(bytes, i)`: bytes i and i + 1 as one number, the first lowest."""
