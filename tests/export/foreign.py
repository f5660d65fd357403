"""A process that predicts with exports and cannot import this package."""

import os
import subprocess
import sys

import numpy as np

# An import of this package fails as if it were not installed, and of PyTorch there is none.
_CODE = """
import sys
sys.modules["gbdt_pwiser"] = None
import numpy as np

source, target, *paths = sys.argv[1:]
given = np.load(source, allow_pickle=True)

def lightgbm(path):
    import lightgbm
    return lightgbm.Booster(model_file=path).predict(given["matrix"], num_threads=1)

def xgboost(path):
    import xgboost
    return xgboost.Booster({"nthread": 1}, model_file=path).inplace_predict(given["matrix"])

def onnx(path):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    inputs = {each.name: given[each.name] for each in session.get_inputs()}
    return np.stack(session.run(["pctr", "pcvr", "pctcvr"], inputs))

reads = {"txt": lightgbm, "ubj": xgboost, "json": xgboost, "onnx": onnx}
np.savez(target, *[reads[path.rpartition(".")[2]](path) for path in paths])
assert "torch" not in sys.modules
"""


def predicted_alone(paths, folder, **given):
    """Return what the library of each export's suffix predicts: of a matrix, or of an ONNX graph's inputs."""
    source, target = folder / "given.npz", folder / "p.npz"
    np.savez(source, **given)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _CODE, source, target, *paths]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(target) as predicted:
        return [predicted[name] for name in predicted.files]
