"""`sightline tune` as a user runs it."""

import pytest
from command_line import fails, sightline

pytest.importorskip("optuna", reason="optuna, which proposes recipes, is not installed")
SMALL = (
    "--set", "network=lenet", "--set", "network.width=0.5", "--set", "training.epochs=2", "--set", "augmentation=none",
    "--set", "data.training_per_class=20", "--set", "optimizer.learning_rate=1e-5", "--workers", 1,
)  # fmt: skip


def test_it_shows_each_trial_the_best_and_whether_it_is_better(tmp_path):
    (tmp_path / "space.toml").write_text('[space]\n"optimizer.learning_rate" = {low = 1e-4, high = 1e-2, log = true}\n')
    done = sightline(
        "tune", "digits", *SMALL, "--space", "space.toml", "--trials", 3, "--seeds", 2, "--out", "t", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    for words in ("trial   1", "the start", "The best of 3 trials", "the best found", "95 % interval", "tuned.toml"):
        assert words in done.stdout
    # Told once for the search and once for the confirmation, not for each trial.
    assert done.stdout.count("measuring pixels ...") <= 2
    assert (tmp_path / "t" / "comparison.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--space", "nowhere.toml"), "can be read"), (("--seeds", 1), "found 1, wanted two at least")],
)
def test_what_cannot_be_tuned_is_one_clear_sentence(tmp_path, arguments, says):
    fails(sightline("tune", "digits", *arguments, cwd=tmp_path), 2, says)
