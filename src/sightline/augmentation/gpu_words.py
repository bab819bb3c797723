"""Words of 32 bits in the kernel: the noise that they hold, and results packed into them."""

# Triton has no types for mypy, and its compile-time arguments are in capitals to tell them from what varies.
# mypy: disable-error-code="import-untyped, import-not-found, untyped-decorator, no-untyped-def, no-untyped-call"
# ruff: noqa: N803

import triton
import triton.language as tl

from sightline.augmentation import noise

GAUSSIAN, SALT_PEPPER = tl.constexpr(noise.GAUSSIAN), tl.constexpr(noise.SALT_PEPPER)
C_1, C_3, C_5, C_7, C_9 = (tl.constexpr(c) for c in noise.NORMAL)


@triton.jit
def store_packed(r, g, b, out_words, row, y, left, height, width, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Store values of 16 bits: the 24 of eight neighbors as three times four words, not every third value thrice."""
    r_0, r_1, r_2, r_3, r_4, r_5, r_6, r_7 = _eighths(r, DOWN, ACROSS)
    g_0, g_1, g_2, g_3, g_4, g_5, g_6, g_7 = _eighths(g, DOWN, ACROSS)
    b_0, b_1, b_2, b_3, b_4, b_5, b_6, b_7 = _eighths(b, DOWN, ACROSS)
    group = left // 8 + tl.arange(0, ACROSS // 8)
    inside = ((y < height)[:, None] & (group < width // 8)[None, :])[:, :, None]
    line = (tl.cast(row, tl.int64) * height + y) * (width // 8)
    at = out_words + ((line[:, None] + group[None, :]) * 12)[:, :, None] + tl.arange(0, 4)[None, None, :]
    tl.store(at, _four_words(r_0, g_0, b_0, r_1, g_1, b_1, r_2, g_2, DOWN, ACROSS), mask=inside)
    tl.store(at + 4, _four_words(b_2, r_3, g_3, b_3, r_4, g_4, b_4, r_5, DOWN, ACROSS), mask=inside)
    tl.store(at + 8, _four_words(g_5, b_5, r_6, g_6, b_6, r_7, g_7, b_7, DOWN, ACROSS), mask=inside)


@triton.jit
def _eighths(v, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return the bits of the first, second … eighth of every eight neighbors, as words of 32 bits."""
    bits = tl.reshape(v.to(tl.uint16, bitcast=True), [DOWN, ACROSS // 8, 2, 2, 2]).to(tl.uint32)
    even, odd = tl.split(bits)
    p_04, p_26 = tl.split(even)
    p_15, p_37 = tl.split(odd)
    p_0, p_4 = tl.split(p_04)
    p_1, p_5 = tl.split(p_15)
    p_2, p_6 = tl.split(p_26)
    p_3, p_7 = tl.split(p_37)
    return p_0, p_1, p_2, p_3, p_4, p_5, p_6, p_7


@triton.jit
def _four_words(a, b, c, d, e, f, g, h, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return eight halves as four words each, shape (DOWN, ACROSS / 8, 4)."""
    words = tl.join(tl.join(a | (b << 16), e | (f << 16)), tl.join(c | (d << 16), g | (h << 16)))
    return tl.reshape(words, [DOWN, ACROSS // 8, 4]).to(tl.int32, bitcast=True)


@triton.jit
def _block(key, PURPOSE: tl.constexpr, block, y, DOWN: tl.constexpr, BLOCKS: tl.constexpr):
    """Return the four words of each block of each line, as `sightline.keys.philox` does."""
    zero = tl.zeros([DOWN, BLOCKS], tl.int32)
    return tl.philox(key, zero + block[None, :], zero + y[:, None], zero + PURPOSE, zero)


@triton.jit
def one_level(key, PURPOSE: tl.constexpr, left, y, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return one 16-bit number for each pixel: a block serves eight."""
    a, b, c, d = _block(key, PURPOSE, left // 8 + tl.arange(0, ACROSS // 8), y, DOWN, ACROSS // 8)
    return _line(_low(a), _high(a), _low(b), _high(b), _low(c), _high(c), _low(d), _high(d), DOWN, ACROSS)


@triton.jit
def three_levels(key, left, y, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return three 16-bit numbers for each pixel: three blocks serve eight."""
    block = 3 * (left // 8 + tl.arange(0, ACROSS // 8))
    a_0, a_1, a_2, a_3 = _block(key, GAUSSIAN, block, y, DOWN, ACROSS // 8)
    b_0, b_1, b_2, b_3 = _block(key, GAUSSIAN, block + 1, y, DOWN, ACROSS // 8)
    c_0, c_1, c_2, c_3 = _block(key, GAUSSIAN, block + 2, y, DOWN, ACROSS // 8)
    # Half h of the 24 serves pixel ⌊h / 3⌋ and channel h mod 3.
    red = _line(
        _low(a_0), _high(a_1), _low(a_3), _high(b_0), _low(b_2), _high(b_3), _low(c_1), _high(c_2), DOWN, ACROSS
    )
    green = _line(
        _high(a_0), _low(a_2), _high(a_3), _low(b_1), _high(b_2), _low(c_0), _high(c_1), _low(c_3), DOWN, ACROSS
    )
    blue = _line(
        _low(a_1), _high(a_2), _low(b_0), _high(b_1), _low(b_3), _high(c_0), _low(c_2), _high(c_3), DOWN, ACROSS
    )
    return red, green, blue


@triton.jit
def normal(number):
    """Return the normal numbers that 16-bit numbers stand for, as `noise.gaussian` does."""
    t = ((number & 0xFF) + (number >> 8) - 255).to(tl.float32) * (1 / 256)
    t2 = t * t
    return t * (C_1 + t2 * (C_3 + t2 * (C_5 + t2 * (C_7 + t2 * C_9))))


@triton.jit
def _low(word):
    return word & 0xFFFF


@triton.jit
def _high(word):
    return word >> 16


@triton.jit
def _line(a, b, c, d, e, f, g, h, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return the numbers of every eight neighbors in their order, shape (DOWN, ACROSS)."""
    eight = tl.join(tl.join(tl.join(a, e), tl.join(c, g)), tl.join(tl.join(b, f), tl.join(d, h)))
    return tl.reshape(eight, [DOWN, ACROSS]).to(tl.int32)
