"""The contact sheet: ends of ranges, what a picture is given, partners, captions, and the page about it all."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.augmentation import draw, identity, render
from sightline.augmentation.captions import said
from sightline.augmentation.documentation import GROUPS, REFERENCES, main, renewed
from sightline.augmentation.extremes import RANGES, drawn, extreme, halved
from sightline.augmentation.layout import Column, ContactSheet
from sightline.augmentation.sheet import Gallery, contact_sheet, one_record, sheet
from sightline.recipe import operations as op
from sightline.recipe.augmentation import Augmentation

PAGE = Path(__file__).parents[2] / "docs" / "augmentation.md"
SIZE = (24, 24)


def custom(*operations):
    return Augmentation(policy="custom", operations=operations)


def gallery(count=30, classes=3, size=SIZE, channels=3, training=None):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, *size, channels), dtype=np.uint8)
    keys = random.integers(0, 2**63, count).astype(np.uint64)
    names = ["cat", "dog", "<owl> & co"][:classes]
    positions = np.arange(count) if training is None else training
    return Gallery(pixels, names, np.arange(count) % classes, keys, positions)


@pytest.mark.parametrize(
    ("operation", "weakest", "strongest"),
    [
        (op.Rotation(degrees=(-15, 15)), {"degrees": 0}, {"degrees": 15}),
        (op.Rotation(degrees=(-20, 10)), {"degrees": 0}, {"degrees": -20}),
        (op.Rotation(degrees=(10, 20)), {"degrees": 10}, {"degrees": 20}),
        (op.Rotation(degrees=(-20, -10)), {"degrees": -10}, {"degrees": -20}),
        (op.Scaling(factor=(0.5, 1.9)), {"factor": 1}, {"factor": 0.5}),
        (op.Scaling(factor=(0.8, 1.25)), {"factor": 1}, {"factor": 1.25}),
        (op.Brightness(factor=(0.2, 1.9)), {"factor": 1}, {"factor": 1.9}),
        (op.Translation(horizontal=(-0.3, 0.1), vertical=(0, 0)), {"horizontal": 0}, {"horizontal": -0.3}),
        (op.Crop(), {"area": 1, "aspect": 1}, {"area": 0.5, "aspect": 4 / 3}),
        (op.Jpeg(quality=(30, 90)), {"quality": 90}, {"quality": 30}),
        (op.Blur(), {"sigma_pixels": 0.1}, {"sigma_pixels": 1.5}),
        (op.Erasing(), {"area": 0.02, "aspect": 1}, {"area": 0.2}),
    ],
    ids=lambda value: value.name if isinstance(value, op.Operation) else "",
)
def test_the_ends_of_a_range_are_nearest_to_and_farthest_from_no_change(operation, weakest, strongest):
    for end, wanted in (("weakest", weakest), ("strongest", strongest)):
        found = extreme(operation, end, size=SIZE)
        assert found.probability == 1.0
        for field, value in wanted.items():
            assert getattr(found, field) == pytest.approx((value, value)), (end, field)


def test_every_field_with_a_range_is_known():
    for each in op.ORDER:
        ranged = [key for key, value in each().model_dump().items() if isinstance(value, tuple)]
        assert ranged == [known.field for known in RANGES.get(each, ())], each


@pytest.mark.parametrize("operation", [each for each in op.ORDER if each not in op.CHANGES_LABELS])
def test_the_strongest_changes_more_than_the_weakest(operation):
    """For pictures of random pixels, which everything changes; the weakest of many operations is no change at all."""
    shown = gallery()
    pictures = shown.at(np.arange(8))
    change = []
    for end in ("weakest", "strongest"):
        narrowed = extreme(operation(), end, size=SIZE)
        plan = draw([narrowed], shown.keys[:8], source=SIZE)
        change.append(np.abs(render(pictures, plan) - pictures / 255.0).mean())
    assert change[1] > 0.0
    # A turn by 90° differs as much from the original as one by 180°, and a flip is always the whole flip.
    assert change[1] > change[0] or operation in (
        op.HorizontalFlip, op.VerticalFlip, op.AlternatingFlip, op.QuarterTurns, op.Grayscale, op.ChannelDropout,
    )  # fmt: skip


@pytest.mark.parametrize("operation", [each for each in op.ORDER if each not in op.CHANGES_LABELS])
def test_the_values_told_are_the_values_drawn(operation, rows):
    """The plan of the operation narrowed to what it is said to have drawn is the plan of the operation itself."""
    for key in range(20):
        for epoch in (1, 2):
            whole = draw([operation(probability=0.6)], [key], seed=5, epoch=epoch, source=SIZE)
            told = drawn((operation(probability=0.6),), key, seed=5, epoch=epoch, size=SIZE, trivial=False)
            again = draw(list(told), [key], seed=5, epoch=epoch, source=SIZE) if told else identity(1, source=SIZE)
            for name, values in rows(whole).items():
                if name == "noise_key" and not told:
                    continue
                if name == "grid" and not told:
                    assert not values.any()
                else:
                    np.testing.assert_allclose(values, rows(again)[name], atol=1e-9, err_msg=f"{name}, key {key}")


def test_trivial_does_one_operation_and_the_same_that_the_plan_does():
    chosen = Augmentation(policy="trivial", operations=(op.Rotation(), op.Brightness(), op.HorizontalFlip()))
    seen = set()
    for key in range(30):
        told = drawn(chosen.operations, key, seed=0, epoch=4, size=SIZE, trivial=True)
        assert len(told) == 1
        plan, alone = (draw(each, [key], epoch=4, source=SIZE) for each in (chosen, list(told)))
        np.testing.assert_allclose(plan.homography, alone.homography, atol=1e-12)
        np.testing.assert_allclose(plan.color, alone.color, atol=1e-12)
        seen.add(told[0].name)
    assert seen == {"rotation", "brightness", "horizontal_flip"}


def test_headings_say_the_value():
    assert said(extreme(op.Rotation(degrees=(-15, 10)), "strongest", size=SIZE)) == "rotation −15°"
    assert said(extreme(op.Translation(), "strongest", size=SIZE)) == "translation 10% right, 10% down"
    assert said(extreme(op.PadAndCrop(), "strongest", size=(16, 16))) == "translation 12.5% right, 12.5% down"
    assert said(extreme(op.Jpeg(), "strongest", size=SIZE)) == "jpeg quality 30"
    for each in op.ORDER:
        assert said(each()).startswith(each().name.replace("_", " "))


def test_columns_are_the_original_each_operation_at_both_ends_and_the_draws():
    shown = gallery()
    made = contact_sheet(shown, custom(op.HorizontalFlip(), op.Rotation(), op.Gamma()), draws=2, seed=3, epoch=5)
    assert [column.heading for column in made.columns] == [
        "original", "horizontal flip", "rotation 0°", "rotation 15°", "gamma 1", "gamma 1.25", "epoch 5", "epoch 6",
    ]  # fmt: skip
    assert made.labels == ("cat", "cat", "dog", "dog", "<owl> & co", "<owl> & co")
    original, flipped, *_ = made.columns
    positions = shown.some(6)
    np.testing.assert_array_equal(original.pictures, shown.pixels[positions])
    np.testing.assert_array_equal(flipped.pictures, shown.pixels[positions][:, :, ::-1])
    whole = draw(
        custom(op.HorizontalFlip(), op.Rotation(), op.Gamma()), shown.keys[positions], seed=3, epoch=6, source=SIZE
    )
    np.testing.assert_array_equal(
        made.columns[-1].pictures, np.round(255 * render(shown.pixels[positions], whole)).astype(np.uint8)
    )


def test_only_training_pictures_are_shown_and_mixed_in():
    training = np.array([4, 7, 11, 12, 20, 27])
    shown = gallery(training=training)
    assert set(shown.some(6)) <= set(training.tolist())
    blank = np.zeros_like(shown.pixels)
    blank[training] = 200
    light = Gallery(blank, shown.class_names, shown.labels, shown.keys, training)
    made = contact_sheet(light, custom(op.Mixup(), op.Cutmix(probability=0.0)), draws=6)
    for column in made.columns:
        assert (column.pictures == 200).all(), column.heading


@pytest.mark.parametrize("operation", [op.Mixup(probability=0.5), op.Cutmix(probability=0.5)], ids=lambda o: o.name)
def test_captions_say_the_shares_of_the_labels(operation):
    """Each class has pictures of one gray level of its own, so that the mixture can be read off the pixels."""
    levels = np.array([0, 100, 250], np.uint8)
    shown = gallery()
    flat = np.broadcast_to(levels[shown.labels][:, None, None, None], shown.pixels.shape).copy()
    made = contact_sheet(Gallery(flat, ["a", "b", "c"], shown.labels, shown.keys, shown.training), custom(operation))
    strongest, *draws = made.columns[1:]
    assert all(strongest.captions)
    said_some = 0
    for column in (strongest, *draws):
        for row, caption in enumerate(column.captions):
            pixels = column.pictures[row].astype(float)
            if not caption:
                assert (pixels == levels["abc".index(made.labels[row])]).all()
                continue
            said_some += 1
            parts = re.fullmatch(r"([abc]) (\d+)%, ([abc]) (\d+)%", caption)
            own, share, other, rest = parts.groups()
            assert own == made.labels[row]
            assert abs(int(share) + int(rest) - 100) <= 1
            gray, gray_of_other = (int(levels["abc".index(name)]) for name in (own, other))
            expected = (int(share) * gray + int(rest) * gray_of_other) / 100.0
            assert pixels.mean() == pytest.approx(expected, abs=3.0)
    assert said_some > len(strongest.captions)


def test_the_strongest_mixture_is_half_and_half():
    plan = draw([op.Cutmix()], np.arange(6), source=(20, 20))
    half = halved(plan, op.Cutmix())
    covered = (half.paste[:, 2] - half.paste[:, 0]) * (half.paste[:, 3] - half.paste[:, 1]) / 400
    np.testing.assert_allclose(1.0 - covered, half.weight)
    np.testing.assert_allclose(half.weight, 0.5, atol=0.03)


def test_one_record_is_what_a_batch_of_the_training_has(pictures):
    shown = gallery(training=np.arange(0, 30, 2))
    chosen = Augmentation(policy="strong")
    for position in (0, 8, 14):
        made, told = one_record(shown, position, chosen, seed=7, epoch=3)
        batch = np.array([2, position, 28])
        plan = draw(chosen, shown.keys[batch], seed=7, epoch=3, source=SIZE, pool=shown.keys[shown.training])
        values = render(shown.pixels[np.concatenate([batch, shown.training[plan.others]])], plan)
        np.testing.assert_array_equal(made.columns[-1].pictures[0], np.round(255 * values[1]).astype(np.uint8))
        assert told
    kept, told = one_record(shown, 9, chosen, seed=7, epoch=3)
    assert not told
    np.testing.assert_array_equal(kept.columns[-1].pictures, kept.columns[0].pictures)


def test_a_partner_is_shown_and_named():
    shown = gallery()
    made, told = one_record(shown, 3, custom(op.Mixup()), seed=0, epoch=1)
    original, partner, result = made.columns
    parts = re.fullmatch(r"mixup with a partner, label (.+) \d+%, (.+) \d+%", told[-1])
    assert parts.groups() == (made.labels[0], partner.captions[0])
    plan = draw(custom(op.Mixup()), shown.keys[[3]], source=SIZE, pool=shown.keys)
    mixed = plan.weight[0] * original.pictures[0] + (1.0 - plan.weight[0]) * partner.pictures[0]
    np.testing.assert_allclose(result.pictures[0], mixed, atol=0.51)


@pytest.mark.parametrize(("size", "channels"), [((8, 8), 1), ((30, 50), 3), ((400, 300), 3)])
def test_small_pictures_are_enlarged_by_a_whole_factor_and_large_ones_shrunk(size, channels):
    shown = gallery(count=6, size=size, channels=channels)
    made = sheet(shown.pixels, shown.class_names, shown.labels, shown.keys, Augmentation(policy="none"))
    assert isinstance(made, Image.Image)
    found = np.asarray(made)
    factor = max(1, round(96 / max(size)))
    if max(size) > 256:
        assert made.width < 600
        return
    whole = shown.pixels[0].repeat(factor, axis=0).repeat(factor, axis=1)
    places = np.lib.stride_tricks.sliding_window_view(found[..., 0], whole.shape[:2])[: found.shape[0] // 2]
    assert (places == whole[..., 0]).all(axis=(2, 3)).any()


def test_any_name_can_be_drawn_and_does_no_harm_in_html():
    name = '<script>alert("1")</script> \u4e2d\u6587 caf\u00e9 ' + "x" * 300
    column = Column("original", np.zeros((1, 8, 8, 1), np.uint8), (name,))
    made = ContactSheet(name, (name,), (column,))
    assert made.image().width < 400
    page = made.page()
    assert "<script>" not in page
    assert "\u4e2d\u6587 caf\u00e9" in page
    assert "href" not in page
    assert page.count("src=") == page.count('src="data:image/png;base64,') == 1


def test_the_page_is_fresh():
    page = PAGE.read_text(encoding="utf-8")
    assert page == renewed(page), "stale: run `make docs`"


def test_the_page_has_every_operation_once_with_its_source():
    listed = [each for group in GROUPS.values() for each in group]
    assert sorted(each.__name__ for each in listed) == sorted(each.__name__ for each in op.ORDER)
    assert set(REFERENCES) == set(op.ORDER)
    page = PAGE.read_text(encoding="utf-8")
    for each in op.ORDER:
        assert page.count(f"**`{each().name}`**") == 1
    pictures = [PAGE.parent / each for each in re.findall(r"\]\((pictures/[^)]+)\)", page)]
    assert sum(file.stat().st_size for file in pictures) < 300_000


def test_a_stale_page_is_renewed(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    stale = tmp_path / "augmentation.md"
    stale.write_text(page.replace("| **`rotation`** |", "| **`spin`** |"), encoding="utf-8")
    assert renewed(stale.read_text(encoding="utf-8")) != stale.read_text(encoding="utf-8")
    main([str(stale)])
    assert stale.read_text(encoding="utf-8") == page
    assert len(list((tmp_path / "pictures").iterdir())) == len(GROUPS)
    with pytest.raises(ValueError, match="generated: operations"):
        renewed("an empty page")


def test_the_standalone_code_of_the_page_runs():
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL).group(1)
    found: dict = {}
    exec(code, found)
    assert found["pictures"].shape == (8, 32, 32, 3)
    assert found["pictures"].dtype == np.float32
    assert found["own_share"].shape == (8,)
