"""The kernel: one program renders one tile of one result, from the source's bytes to standardized values.

Where the plan has neither perspective nor lens, places are fixed-point numbers with 32 bits behind the point, so that
their whole and broken parts are exact, whatever the picture's size; otherwise they are float64. Values are float32.

Only `sightline.augmentation.gpu` imports this module, and late: Triton is absent on many machines.
"""

# Triton has no types for mypy, and its compile-time arguments are in capitals to tell them from what varies.
# mypy: disable-error-code="import-untyped, import-not-found, untyped-decorator, no-untyped-def, no-untyped-call"
# ruff: noqa: N803

import triton
import triton.language as tl

from sightline.augmentation.gpu import FIXED, RECORD
from sightline.augmentation.gpu_words import GAUSSIAN, SALT_PEPPER, normal, one_level, store_packed, three_levels
from sightline.augmentation.reference import CUBIC, FARTHEST


def _column(name: str) -> tl.constexpr:
    """Return where a record's field begins, counted in numbers of the field's own width."""
    kind, begin = RECORD.fields[name][:2]  # type: ignore[index]
    return tl.constexpr(begin // kind.base.itemsize)


WORDS = tl.constexpr(RECORD.itemsize // 4)
LONGS = tl.constexpr(RECORD.itemsize // 8)
PLACE, KEY = _column("place"), _column("noise_key")
SLOT, PARTNER, ERASE, PASTE, SALT = (_column(name) for name in ("slot", "partner", "erase", "paste", "salt_pepper"))
WEIGHT, GAMMA, NOISE, COLOR = (_column(name) for name in ("weight", "gamma", "noise", "color"))

FRACTION_BITS = tl.constexpr(FIXED)
ONE = tl.constexpr(2.0**FIXED)
FAR = tl.constexpr(FARTHEST)
KEYS_A = tl.constexpr(CUBIC)
# 1 / 255 in two parts: a byte times the first is exact in float32, so that the sum is the byte's 255th rounded once.
HIGH = tl.constexpr(32897 / 2**23)
LOW = tl.constexpr(1 / 255 - 32897 / 2**23)


@triton.jit
def render_tile(
    images, filtered, words, reals, longs, doubles, field, knots, bells, out, out_words,
    source_height, source_width, height, width, tiles_across, tiles, field_rows,
    fill_value, erase_value, scale_0, scale_1, scale_2, offset_0, offset_1, offset_2,
    CHANNELS: tl.constexpr, FILL: tl.constexpr, INTERPOLATION: tl.constexpr, GENERAL: tl.constexpr,
    NEAR: tl.constexpr, ELASTIC: tl.constexpr, NOISY: tl.constexpr, MIXES: tl.constexpr,
    PACKED: tl.constexpr, DOWN: tl.constexpr, ACROSS: tl.constexpr,
):  # fmt: skip
    """Render a tile of DOWN × ACROSS pixels; ACROSS is a multiple of 8, so that tiles share no block of noise.

    `words`, `reals`, `longs` and `doubles` are four views of the same records, one for each picture.
    """
    row = tl.program_id(0) // tiles
    tile = tl.program_id(0) % tiles
    top = (tile // tiles_across) * DOWN
    left = (tile % tiles_across) * ACROSS
    y = top + tl.arange(0, DOWN)
    x = left + tl.arange(0, ACROSS)
    r, g, b = _picture(
        row, y, x, left, images, filtered, words, reals, longs, doubles, field, knots, bells,
        source_height, source_width, height, width, field_rows, fill_value, erase_value,
        CHANNELS, FILL, INTERPOLATION, GENERAL, NEAR, ELASTIC, NOISY, DOWN, ACROSS,
    )  # fmt: skip
    if MIXES:
        record = words + row * WORDS
        partner = tl.load(record + PARTNER)
        if partner >= 0:
            r_2, g_2, b_2 = _picture(
                partner, y, x, left, images, filtered, words, reals, longs, doubles, field, knots, bells,
                source_height, source_width, height, width, field_rows, fill_value, erase_value,
                CHANNELS, FILL, INTERPOLATION, GENERAL, NEAR, ELASTIC, NOISY, DOWN, ACROSS,
            )  # fmt: skip
            # What the partner contributes: all or nothing by the box (cutmix), or the same share everywhere (mixup).
            box = record + PASTE
            boxed = (tl.load(box + 2) > tl.load(box)) & (tl.load(box + 3) > tl.load(box + 1))
            share = 1.0 - tl.load(reals + row * WORDS + WEIGHT)
            other = tl.where(boxed, _within(box, y, x).to(tl.float32), share)
            r = (1.0 - other) * r + other * r_2
            if CHANNELS == 3:
                g = (1.0 - other) * g + other * g_2
                b = (1.0 - other) * b + other * b_2
    kind = out.dtype.element_ty
    r = (r * scale_0 + offset_0).to(kind)
    if CHANNELS == 3:
        g, b = (g * scale_1 + offset_1).to(kind), (b * scale_2 + offset_2).to(kind)
    if PACKED:
        store_packed(r, g, b, out_words, row, y, left, height, width, DOWN, ACROSS)
    else:
        inside = (y < height)[:, None] & (x < width)[None, :]
        at = out + (((tl.cast(row, tl.int64) * height + y) * width)[:, None] + x[None, :]) * CHANNELS
        tl.store(at, r, mask=inside)
        if CHANNELS == 3:
            tl.store(at + 1, g, mask=inside)
            tl.store(at + 2, b, mask=inside)


@triton.jit
def _picture(
    row, y, x, left, images, filtered, words, reals, longs, doubles, field, knots, bells,
    source_height, source_width, height, width, field_rows, fill_value, erase_value,
    CHANNELS: tl.constexpr, FILL: tl.constexpr, INTERPOLATION: tl.constexpr, GENERAL: tl.constexpr,
    NEAR: tl.constexpr, ELASTIC: tl.constexpr, NOISY: tl.constexpr,
    DOWN: tl.constexpr, ACROSS: tl.constexpr,
):  # fmt: skip
    """Return the tile's values from 0 to 1, before standardization and mixing; one channel comes three times."""
    # What lies beyond the result's edges is not stored; it takes the last pixel's place, to stay within the source.
    row_y, column_x = tl.minimum(y, height - 1), tl.minimum(x, width - 1)
    move_x, move_y = 0.0, 0.0
    if ELASTIC:
        move_x, move_y = _displacement(row, row_y, column_x, field, knots, bells, field_rows, width, DOWN, ACROSS)
    if GENERAL:
        x_0, y_0, t_x, t_y = _general_place(
            doubles + row * LONGS + PLACE, row_y, column_x, move_x, move_y, height, width, INTERPOLATION
        )
    else:
        x_0, y_0, t_x, t_y = _affine_place(longs + row * LONGS + PLACE, row_y, column_x, move_x, move_y, ELASTIC)
    slot = tl.load(words + row * WORDS + SLOT)
    picture = tl.cast(source_height, tl.int64) * source_width * CHANNELS
    base = images + row * picture
    if slot >= 0:
        base = filtered + slot * picture
    r, g, b = _sampled(
        base, x_0, y_0, t_x, t_y, source_height, source_width, fill_value, CHANNELS, FILL, INTERPOLATION, NEAR
    )
    r, g, b = _colored(r, g, b, reals + row * WORDS, CHANNELS)
    if NOISY:
        key = tl.load(longs + row * LONGS + KEY)
        r, g, b = _noisy(r, g, b, key, y, left, words + row * WORDS, reals + row * WORDS, CHANNELS, DOWN, ACROSS)
    covered = _within(words + row * WORDS + ERASE, y, x)
    r, g, b = tl.where(covered, erase_value, r), tl.where(covered, erase_value, g), tl.where(covered, erase_value, b)
    return r, g, b


@triton.jit
def _displacement(row, y, x, field, knots, bells, field_rows, width, DOWN: tl.constexpr, ACROSS: tl.constexpr):
    """Return d(q) in pixels: four rows of coefficients, already summed along x, weighted along y."""
    first = tl.load(knots + y)
    move_x = tl.zeros([DOWN, ACROSS], tl.float32)
    move_y = tl.zeros([DOWN, ACROSS], tl.float32)
    begin = field + row.to(tl.int64) * 2 * field_rows * width
    for j in tl.static_range(4):
        weight = tl.load(bells + 4 * y + j)[:, None]
        at = begin + ((first + j) * width)[:, None] + x[None, :]
        move_x += weight * tl.load(at)
        move_y += weight * tl.load(at + field_rows * width)
    return move_x, move_y


@triton.jit
def _affine_place(place, y, x, move_x, move_y, ELASTIC: tl.constexpr):
    """Return the pixel before each place, along x and y, and how far the place lies beyond it."""
    a, b, c = tl.load(place), tl.load(place + 1), tl.load(place + 2)
    d, e, f = tl.load(place + 3), tl.load(place + 4), tl.load(place + 5)
    across, down = x.to(tl.int64)[None, :], y.to(tl.int64)[:, None]
    found_x = a * across + (b * down + c)
    found_y = d * across + (e * down + f)
    if ELASTIC:
        found_x += (a.to(tl.float32) * move_x + b.to(tl.float32) * move_y).to(tl.int64)
        found_y += (d.to(tl.float32) * move_x + e.to(tl.float32) * move_y).to(tl.int64)
    x_0, y_0 = (found_x >> FRACTION_BITS).to(tl.int32), (found_y >> FRACTION_BITS).to(tl.int32)
    t_x = (found_x & 0xFFFFFFFF).to(tl.uint32).to(tl.float32) * (1.0 / ONE)
    t_y = (found_y & 0xFFFFFFFF).to(tl.uint32).to(tl.float32) * (1.0 / ONE)
    return x_0, y_0, t_x, t_y


@triton.jit
def _general_place(place, y, x, move_x, move_y, height, width, INTERPOLATION: tl.constexpr):
    """Return the same with lens and perspective, in float64; for "nearest", the nearest pixel."""
    half_x, half_y = tl.cast(width, tl.float64) * 0.5, tl.cast(height, tl.float64) * 0.5
    middle_x, middle_y = half_x - 0.5, half_y - 0.5
    from_x = (x.to(tl.float64) - middle_x)[None, :] + move_x
    from_y = (y.to(tl.float64) - middle_y)[:, None] + move_y
    bent = 1.0 + tl.load(place + 9) * ((from_x * from_x + from_y * from_y) / (half_x * half_x + half_y * half_y))
    at_x, at_y = middle_x + from_x * bent, middle_y + from_y * bent
    w = tl.load(place + 6) * at_x + tl.load(place + 7) * at_y + tl.load(place + 8)
    tiny = tl.full([1, 1], 1e-12, tl.float64)
    w = tl.where(tl.abs(w) < tiny, tiny, w)
    found_x = (tl.load(place) * at_x + tl.load(place + 1) * at_y + tl.load(place + 2)) / w
    found_y = (tl.load(place + 3) * at_x + tl.load(place + 4) * at_y + tl.load(place + 5)) / w
    found_x = tl.minimum(tl.maximum(found_x, -FAR), FAR)
    found_y = tl.minimum(tl.maximum(found_y, -FAR), FAR)
    if INTERPOLATION == "nearest":
        found_x, found_y = found_x + 0.5, found_y + 0.5
    whole_x, whole_y = tl.floor(found_x), tl.floor(found_y)
    t_x, t_y = (found_x - whole_x).to(tl.float32), (found_y - whole_y).to(tl.float32)
    return whole_x.to(tl.int32), whole_y.to(tl.int32), t_x, t_y


@triton.jit
def _sampled(
    base, x_0, y_0, t_x, t_y, source_height, source_width, fill_value,
    CHANNELS: tl.constexpr, FILL: tl.constexpr, INTERPOLATION: tl.constexpr, NEAR: tl.constexpr,
):  # fmt: skip
    """Return the values at the places, from 0 to 1."""
    if INTERPOLATION == "nearest":
        r, g, b = _pixel(base, x_0, y_0, source_height, source_width, fill_value, CHANNELS, FILL, NEAR)
    elif INTERPOLATION == "bilinear":
        # v + t (next − v) is v itself at t = 0, to the bit.
        r, g, b = _pixel(base, x_0, y_0, source_height, source_width, fill_value, CHANNELS, FILL, NEAR)
        r_1, g_1, b_1 = _pixel(base, x_0 + 1, y_0, source_height, source_width, fill_value, CHANNELS, FILL, NEAR)
        r_2, g_2, b_2 = _pixel(base, x_0, y_0 + 1, source_height, source_width, fill_value, CHANNELS, FILL, NEAR)
        r_3, g_3, b_3 = _pixel(base, x_0 + 1, y_0 + 1, source_height, source_width, fill_value, CHANNELS, FILL, NEAR)
        r, r_2 = r + t_x * (r_1 - r), r_2 + t_x * (r_3 - r_2)
        r += t_y * (r_2 - r)
        if CHANNELS == 3:
            g, g_2 = g + t_x * (g_1 - g), g_2 + t_x * (g_3 - g_2)
            b, b_2 = b + t_x * (b_1 - b), b_2 + t_x * (b_3 - b_2)
            g += t_y * (g_2 - g)
            b += t_y * (b_2 - b)
    else:
        r, g, b = t_x * 0.0, t_x * 0.0, t_x * 0.0
        for j in tl.static_range(4):
            for i in tl.static_range(4):
                weight = _cubic(t_x, i) * _cubic(t_y, j)
                r_1, g_1, b_1 = _pixel(
                    base, x_0 + (i - 1), y_0 + (j - 1), source_height, source_width, fill_value, CHANNELS, FILL, NEAR
                )
                r += weight * r_1
                if CHANNELS == 3:
                    g += weight * g_1
                    b += weight * b_1
    return r * HIGH + r * LOW, g * HIGH + g * LOW, b * HIGH + b * LOW


@triton.jit
def _cubic(t, TAP: tl.constexpr):
    """Return the weight of one of four taps by Keys' cubic, for a place t beyond the second."""
    if TAP == 0:
        s = 1.0 + t
    elif TAP == 1:
        s = t
    elif TAP == 2:
        s = 1.0 - t
    else:
        s = 2.0 - t
    if TAP == 0 or TAP == 3:  # noqa: PLR1714
        weight = KEYS_A * (((s - 5.0) * s + 8.0) * s - 4.0)
    else:
        weight = ((KEYS_A + 2.0) * s - (KEYS_A + 3.0)) * s * s + 1.0
    return weight


@triton.jit
def _pixel(base, x, y, height, width, fill_value, CHANNELS: tl.constexpr, FILL: tl.constexpr, NEAR: tl.constexpr):
    """Return the bytes at whole coordinates, which may lie outside, as numbers from 0 to 255."""
    if FILL == "reflect":
        at = base + (_mirrored(y, height, NEAR) * width + _mirrored(x, width, NEAR)) * CHANNELS
    else:
        inside_x, inside_y = tl.minimum(tl.maximum(x, 0), width - 1), tl.minimum(tl.maximum(y, 0), height - 1)
        at = base + (inside_y * width + inside_x) * CHANNELS
    r = tl.load(at).to(tl.float32)
    g, b = r, r
    if CHANNELS == 3:
        g, b = tl.load(at + 1).to(tl.float32), tl.load(at + 2).to(tl.float32)
    if FILL == "constant":
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        r, g, b = tl.where(inside, r, fill_value), tl.where(inside, g, fill_value), tl.where(inside, b, fill_value)
    return r, g, b


@triton.jit
def _mirrored(index, side, NEAR: tl.constexpr):
    """Return the pixel at `index` of a picture mirrored over and over; NEAR: it lies within −side to 2 side − 1."""
    if NEAR:
        period = index ^ (index >> 31)
    else:
        period = index % (2 * side)
        period = tl.where(period < 0, period + 2 * side, period)
    return tl.minimum(period, 2 * side - 1 - period)


@triton.jit
def _colored(r, g, b, record, CHANNELS: tl.constexpr):
    """Return the values after the color matrix, clipped, to the power gamma."""
    m = record + COLOR
    if CHANNELS == 1:
        r = tl.load(m) * r + tl.load(m + 1)
    else:
        r, g, b = (
            tl.load(m) * r + tl.load(m + 1) * g + tl.load(m + 2) * b + tl.load(m + 3),
            tl.load(m + 4) * r + tl.load(m + 5) * g + tl.load(m + 6) * b + tl.load(m + 7),
            tl.load(m + 8) * r + tl.load(m + 9) * g + tl.load(m + 10) * b + tl.load(m + 11),
        )
    r, g, b = _clipped(r), _clipped(g), _clipped(b)
    gamma = tl.load(record + GAMMA)
    if gamma != 1.0:
        r = _power(r, gamma)
        if CHANNELS == 3:
            g, b = _power(g, gamma), _power(b, gamma)
    return r, g, b


@triton.jit
def _noisy(
    r, g, b, key, y, left, words, reals,
    CHANNELS: tl.constexpr, DOWN: tl.constexpr, ACROSS: tl.constexpr,
):  # fmt: skip
    """Return the values with Gaussian noise, clipped, then salt and pepper."""
    deviation = tl.load(reals + NOISE)
    if deviation > 0.0:
        if CHANNELS == 1:
            at = one_level(key, GAUSSIAN, left, y, DOWN, ACROSS)
            r = _clipped(r + deviation * normal(at))
        else:
            at_r, at_g, at_b = three_levels(key, left, y, DOWN, ACROSS)
            r = _clipped(r + deviation * normal(at_r))
            g = _clipped(g + deviation * normal(at_g))
            b = _clipped(b + deviation * normal(at_b))
    hit = tl.load(words + SALT + 1)
    if hit > 0:
        white = tl.load(words + SALT)
        drawn = one_level(key, SALT_PEPPER, left, y, DOWN, ACROSS)
        level = tl.where(drawn < white, 1.0, 0.0)
        r, g, b = tl.where(drawn < hit, level, r), tl.where(drawn < hit, level, g), tl.where(drawn < hit, level, b)
    return r, g, b


@triton.jit
def _three_blocks(word):
    even, odd = tl.split(word)
    first, third = tl.split(even)
    second, _ = tl.split(odd)
    return first, second, third


@triton.jit
def _within(box, y, x):
    """Return which pixels lie in the box of four numbers at `box`."""
    down = (y >= tl.load(box)) & (y < tl.load(box + 2))
    return down[:, None] & ((x >= tl.load(box + 1)) & (x < tl.load(box + 3)))[None, :]


@triton.jit
def _clipped(v):
    return tl.minimum(tl.maximum(v, 0.0), 1.0)


@triton.jit
def _power(v, exponent):
    return tl.where(v > 0.0, tl.exp2(exponent * tl.log2(tl.maximum(v, 1e-30))), 0.0)
