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
from torch import nn

from sightline.errors import RecipeError
from sightline.model.backends import Scores

OPSET = 17
PICTURES, SCORES = "pictures", "scores"


def exported(network: nn.Module, preprocessing: nn.Module, pictures: UInt8[ndarray, "picture h w c"]) -> bytes:
    """Return the ONNX file from pixels to scores, for as many pictures of one size as are given.

    Raises:
        RecipeError: torch cannot write this network so.
    """
    whole = nn.Sequential(preprocessing, network).eval()
    try:
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
    except Exception as error:  # of many classes, by what is in the network
        first = str(error).strip().split("\n", 1)[0]
        raise RecipeError(
            f"backend: torch cannot write this network as ONNX ({first}); wanted torch or exact."
        ) from error


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
        request.infer([np.ascontiguousarray(pixels)])
        return np.array(request.get_output_tensor(0).data, np.float32)

    return scores
