"""A network as ONNX, and the libraries that compute such: ONNX Runtime and OpenVINO."""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.model.backends import Scores

OPSET = 17
PICTURES, SCORES = "pictures", "scores"


def exported(network: nn.Module, preprocessing: nn.Module, pictures: UInt8[ndarray, "picture h w c"]) -> bytes:
    """Return the ONNX file from pixels to scores, for as many pictures of one size as are given."""
    whole = nn.Sequential(_by_planes(preprocessing), network).eval()
    with TemporaryDirectory() as folder, torch.inference_mode(), warnings.catch_warnings():
        # The newer exporter wants another library and takes many times as long.
        warnings.simplefilter("ignore")
        file = Path(folder) / "network.onnx"
        torch.onnx.export(
            whole,
            (torch.from_numpy(pictures),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[PICTURES],
            output_names=[SCORES],
        )
        return file.read_bytes()


def _by_planes(preprocessing: nn.Module) -> nn.Module:
    """Return the same preprocessing with channels brought to the front first, where it treats all of a channel alike.

    Libraries compute planes of one channel faster than numbers that belong to three of them in turn.
    """
    factor, offset = getattr(preprocessing, "factor", None), getattr(preprocessing, "offset", None)
    if not isinstance(factor, Tensor) or not isinstance(offset, Tensor) or max(factor.ndim, offset.ndim) > 1:
        return preprocessing
    if getattr(preprocessing, "matrix", None) is not None:
        return preprocessing
    return _Planes(factor, offset)


class _Planes(nn.Module):
    def __init__(self, factor: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.factor, self.offset = factor.reshape(-1, 1, 1), offset.reshape(-1, 1, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.permute(0, 3, 1, 2).float() * self.factor + self.offset


def onnxruntime(text: bytes) -> Scores:
    """Return what computes an ONNX file by ONNX Runtime, with as many threads as torch has."""
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = library.InferenceSession(text, options, providers=["CPUExecutionProvider"])

    def scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        (found,) = session.run([SCORES], {PICTURES: pixels})
        return np.asarray(found, np.float32)

    return scores


def openvino(text: bytes) -> Scores:
    """Return what computes an ONNX file by OpenVINO, in bfloat16 where the processor has it."""
    import openvino as library

    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = library.Core().compile_model(library.Core().read_model(text), "CPU", settings)
    request = compiled.create_infer_request()

    def scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Not copied in, and copied out once.
        found = request.infer([pixels], share_inputs=True, share_outputs=True)
        return np.array(found[0], np.float32)

    return scores
