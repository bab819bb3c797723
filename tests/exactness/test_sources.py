"""Nothing in the source draws from a generator that keeps a state between calls, or asks a clock for a number."""

import ast
from pathlib import Path

import sightline

SOURCE = Path(sightline.__file__).parent

GLOBAL = {
    "random", "numpy.random", "np.random", "torch.rand", "torch.randn", "torch.randint", "torch.randperm",
    "torch.bernoulli", "torch.multinomial", "torch.normal", "torch.manual_seed", "torch.seed", "uuid.uuid4",
    "torch.rand_like", "torch.randn_like", "torch.poisson", "os.urandom", "np.random.default_rng",
}  # fmt: skip
KEYED = {
    # Puts torch's generators back as they were; timm draws weights that are then replaced.
    "torch.random.fork_rng": "training/numerics.py network/timm_backbone.py transfer_learning/timm_weights.py",
    # The bootstrap's own generator, always of the same seed; nothing of a training depends on it.
    "np.random.default_rng": "statistics/counted.py statistics/effect.py statistics/chance.py",
    "np.random": "statistics/counted.py statistics/effect.py statistics/chance.py",
    "secrets.token_hex": "writing.py data/cache.py",  # names of temporary files, which nothing depends on
}
"""What may be used, and where."""


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def uses(text: str) -> list[str]:
    """Return the names of global generators in a source, however they were imported."""
    tree = ast.parse(text)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in {"random", "secrets", "numpy.random"}]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            found.append(dotted(node))
    return [name for name in found if name in GLOBAL or name in KEYED or name.startswith(("np.random.", "random."))]


def test_no_global_generator_is_drawn_from():
    seen = {}
    for path in SOURCE.rglob("*.py"):
        for name in uses(path.read_text(encoding="utf-8")):
            seen.setdefault(name, set()).add(path.relative_to(SOURCE).as_posix())
    assert seen.keys() <= KEYED.keys(), seen
    for name, places in seen.items():
        assert places <= set(KEYED[name].split()), (name, places)


def test_the_search_finds_what_it_looks_for():
    for line in (
        "import random", "from random import choice", "import numpy as np\nnp.random.rand(3)", "torch.rand(2)",
        "from torch import randperm", "x = torch.randint(0, 2, (3,))",
    ):  # fmt: skip
        assert uses(line), line
    assert not uses("from sightline.keys import purpose\npurpose(0, 'order').uniform(3)")
