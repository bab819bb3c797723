"""Pickles become numbers alone: real ones are converted to the last bit, hostile ones are refused and never run."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import fails, sightline
from safetensors.numpy import load_file

from sightline import network
from sightline.errors import ModelFileError, OutputError
from sightline.recipe import network as recipe
from sightline.transfer_learning import convert as module
from sightline.transfer_learning import read, unpickle
from sightline.transfer_learning.convert import convert

SECTION = recipe.ResNet(depth=18, stem="small", width=8, dropout=0.0, initialization=recipe.He())
WEIGHT = torch.arange(12.0).reshape(4, 3)
EVERYTHING_ELSE = "import sys, torch; torch.load(sys.argv[1], weights_only=False)"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    built = network.build(SECTION, channels=3, classes=5, image_size=(32, 32))
    network.initialize(built, network.build_scheme(SECTION), seed=0)
    return dict(built.state_dict())


def saved(path: Path, content: object, *, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


class Call:
    """Whoever unpickles this calls a function of the pickle's choice."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(("wrapped", "zipped"), [("", True), ("", False), ("state_dict", True), ("ema", False)])
def test_real_weights_are_the_same_to_the_last_bit_and_are_recognized(state, wrapped, zipped, tmp_path):
    content = {wrapped: {f"module.{name}": each for name, each in state.items()}, "epoch": 3} if wrapped else state
    found = convert(saved(tmp_path / "w.pth", content, zipped=zipped), tmp_path / "w.safetensors")
    assert found.network == recipe.ResNet(depth=18, stem="small", width=8)
    assert (found.where, found.prefix) == ((wrapped, "module.") if wrapped else ("", ""))
    assert found.left_out == (("epoch (int)",) if wrapped else ())
    assert (found.tensors, found.size) == (len(state), (tmp_path / "w.safetensors").stat().st_size)
    read_back = load_file(tmp_path / "w.safetensors")
    assert read_back.keys() == state.keys()
    for name, tensor in state.items():
        assert read_back[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(read_back[name], tensor.numpy(), err_msg=name)
    assert read(tmp_path / "w.safetensors").network == found.network


def test_weights_are_found_beside_other_things():
    weights = {"weight": WEIGHT}
    for key in ("state_dict", "model", "model_state", "ema"):
        assert unpickle.state_dict({"epoch": 3, key: weights}) == (weights, key, ["epoch (int)"])
    assert unpickle.state_dict(weights) == (weights, "", [])
    both = {"ema": weights, "model": weights}
    assert unpickle.state_dict(both) == (weights, "model", ["ema (dict)"])


def test_tensors_that_share_memory_become_copies_and_what_is_no_tensor_is_listed(tmp_path):
    content = {
        "tied.a": WEIGHT,
        "tied.b": WEIGHT,
        "row": WEIGHT[1],
        "turned": WEIGHT.T,
        "spread": torch.ones(1).expand(5),
        "parameter": torch.nn.Parameter(WEIGHT),
        "brain": WEIGHT.bfloat16(),
        "half": WEIGHT.half(),
        "count": torch.tensor(3),
        "small": torch.tensor([1, 2], dtype=torch.int8),
        "_metadata": {"version": 1},
        7: WEIGHT,
    }
    found = convert(saved(tmp_path / "w.pth", content), tmp_path / "w.safetensors")
    assert found.network is None
    assert found.left_out == ("_metadata (dict)", "7 (Tensor)")
    assert (found.tied, found.widened, found.tensors) == (3, 1, 10)
    read_back = load_file(tmp_path / "w.safetensors")
    for name, array in read_back.items():
        np.testing.assert_array_equal(array, content[name].detach().float().numpy(), err_msg=name)
    kinds = {"brain": "float32", "half": "float16", "count": "int64", "small": "int8"}
    assert {name: read_back[name].dtype.name for name in kinds} == kinds


@pytest.mark.parametrize("kind", ["zip", "before torch 1.6", "plain pickle"])
def test_a_malicious_pickle_is_never_run(kind, tmp_path):
    mark, file, out = tmp_path / "mark", tmp_path / "w.pth", tmp_path / "w.safetensors"
    content = {"weight": WEIGHT, "trap": Call(os.system, f"touch {mark}")}
    if kind == "plain pickle":
        file.write_bytes(pickle.dumps({"trap": content["trap"]}, protocol=2))
    else:
        saved(file, content, zipped=kind == "zip")
    says = r"wants \w+\.system, which is more than weights, so it was refused and nothing of it was run"
    with pytest.raises(ModelFileError, match=says):
        convert(file, out)
    assert not mark.exists()
    assert not out.exists()
    # The trap is a real one: whoever reads the file without such care does run it.
    loader = EVERYTHING_ELSE if kind != "plain pickle" else "import sys, pickle; pickle.load(open(sys.argv[1], 'rb'))"
    subprocess.run([sys.executable, "-W", "ignore", "-c", loader, file], check=True, cwd=tmp_path)
    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (torch.nn.Linear(2, 2), r"wants torch\.nn\.modules\.linear\.Linear, which is more than weights"),
        ({"weight": WEIGHT, "score": np.float64(0.9)}, r"wants numpy\.\S+\.scalar, which is more than weights"),
        ({"weight": Call(eval, "1")}, r"wants eval, which is more than weights"),
        ({"weight": WEIGHT.to(torch.complex64)}, "weight has complex64, which no network here has"),
        ({"weight": WEIGHT.to_sparse()}, "weight is sparse_coo, which no network here has"),
        ([WEIGHT], "holds a list, where a dict of names and tensors was wanted"),
        (WEIGHT, "holds a Tensor, where a dict of names and tensors was wanted"),
        ({"epoch": 3}, r"holds no tensors by name \(epoch \(int\)\)"),
        ({"weight": torch.ones(1).expand(10**11)}, "take more than 4 times the file's own size"),
    ],
    ids=["module", "numpy", "eval", "complex", "sparse", "list", "tensor", "empty", "bomb"],
)
def test_what_is_more_or_less_than_weights_is_one_sentence(content, says, tmp_path):
    with pytest.raises(ModelFileError, match=says) as caught:
        convert(saved(tmp_path / "w.pth", content), tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.filterwarnings("ignore:.*quant:UserWarning", "ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_quantized_tensors_and_programs_are_refused(tmp_path):
    quantized = torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.qint8)
    with pytest.raises(ModelFileError, match="weight is quantized"):
        convert(saved(tmp_path / "w.pth", {"weight": quantized}), tmp_path / "w.safetensors")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "s.pth")
    with pytest.raises(ModelFileError, match="holds TorchScript, which is a program, so it was refused"):
        convert(tmp_path / "s.pth", tmp_path / "w.safetensors")


@pytest.mark.parametrize(("zipped", "left"), [(True, 0.5), (False, 0.01), (False, 0.99)])
def test_a_torn_file_is_one_sentence(zipped, left, tmp_path):
    whole = saved(tmp_path / "w.pth", {"weight": WEIGHT}, zipped=zipped).read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[: int(len(whole) * left)])
    says = r"restricted loader cannot read it \(.*\): the file is torn, or"
    with pytest.raises(ModelFileError, match=says) as caught:
        convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)


def test_what_is_no_pickle_is_not_even_read(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"")
    with pytest.raises(ModelFileError, match="is empty, by its first bytes"):
        convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    (tmp_path / "w.pth").write_text("<!DOCTYPE html>")
    with pytest.raises(ModelFileError, match="is no pickle of PyTorch, by its first bytes"):
        convert(tmp_path / "w.pth", tmp_path / "w.safetensors")
    with pytest.raises(ModelFileError, match="cannot be read"):
        convert(tmp_path, tmp_path / "w.safetensors")


def test_a_process_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.05)
    with pytest.raises(ModelFileError, match=r"gave no answer \(it took more than 0.05 seconds\)"):
        convert(saved(tmp_path / "w.pth", {"weight": WEIGHT}), tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        convert(saved(tmp_path / "w.pth", {"weight": WEIGHT}), tmp_path / "nowhere" / "w.safetensors")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have fewer limits")
def test_a_fault_of_the_loader_could_open_write_start_and_take_nothing(tmp_path):
    """What a pickle could do that got round the loader: the process is closed as it is for a real one, then tried."""
    attempts = {
        "open": "open('/etc/passwd')",
        "write": f"open({str(tmp_path / 'mark')!r}, 'w')",
        "connect": "socket.socket()",
        "start": "os.fork() or os._exit(0)",
        "take": "bytearray(2**32)",
    }
    script = (
        f"import sys, os, socket, runpy; u = runpy.run_path({unpickle.__file__!r})\n"
        "u['leave_the_network'](); cut = [line.split(':')[0].strip() for line in open('/proc/net/dev')][2:]\n"
        "u['warm_up'](); u['lock'](memory=2**30, descriptors=3)\n"
        f"for name, attempt in {attempts!r}.items():\n"
        "    try: eval(attempt); print(name)\n"
        "    except (OSError, MemoryError): pass\n"
        "print(cut, os.geteuid() != 0)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", script], capture_output=True, text=True, check=True
    )
    found, _, rest = done.stdout.strip().rpartition("\n")
    assert found == ""
    assert rest.endswith("True")
    if os.geteuid() == 0:
        assert rest == "['lo'] True"


def test_the_command_says_the_risk_and_what_it_wrote(state, tmp_path):
    saved(tmp_path / "w.pth", {"state_dict": {f"module.{name}": each for name, each in state.items()}, "epoch": 3})
    done = sightline("convert", "w.pth", "w.safetensors", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "CVE-2025-32434" in done.stdout.splitlines()[0]
    assert "Taken from the entry 'state_dict' of w.pth." in done.stdout
    assert "Left out, as no tensors: epoch (int)." in done.stdout
    size = (tmp_path / "w.safetensors").stat().st_size
    assert f"Wrote w.safetensors: {len(state):,} tensors, {size:,} bytes. The network: resnet, width 8" in done.stdout
    assert read(tmp_path / "w.safetensors").channels == 3
    fails(sightline("convert", "w.pth", "w.safetensors", cwd=tmp_path), 6, "exists already", "--overwrite")
    saved(tmp_path / "w.pth", {"weight": WEIGHT})
    done = sightline("convert", "w.pth", "w.safetensors", "--overwrite", cwd=tmp_path)
    assert "1 tensor, " in done.stdout
    assert "They belong to no network known here" in done.stdout


def test_mistakes_of_the_command_get_their_code_and_leave_nothing(tmp_path):
    saved(tmp_path / "evil.pth", {"trap": Call(os.system, f"touch {tmp_path / 'mark'}")})
    fails(sightline("convert", "evil.pth", "w.safetensors", cwd=tmp_path), 4, "evil.pth: wants", ".system")
    fails(sightline("convert", "absent.pth", "w.safetensors", cwd=tmp_path), 4, "absent.pth: cannot be read (no such")
    fails(sightline("convert", "evil.pth", "w.bin", cwd=tmp_path), 2, "ends in .safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pth"]
