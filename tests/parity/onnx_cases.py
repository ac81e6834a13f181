"""What the two ONNX suites share: models of a few nodes, the runner, ONNX Runtime."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import numpy as np
    # onnx 1.12 asks numpy for names that newer versions have dropped.
    for name, kind in (("float", float), ("object", object), ("bool", bool), ("int", int)):
        if name not in np.__dict__:
            setattr(np, name, kind)
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    print(f"SKIPPED: {Path(sys.argv[0]).stem}: {missing.name} is not installed")
    sys.exit(0)

RUNNER, MODULES, HERE = os.environ["SHIFTNORM_NODE_RUNNER"], os.environ.get("SHIFTNORM_ORT", ""), Path(__file__).parent


def has_runtime():
    return bool(shutil.which("node")) and (Path(MODULES) / "onnxruntime-node").is_dir()


def bind_inputs(model, values, live):
    """All inputs but one become initialisers."""
    for value_info in [i for i in model.graph.input if i.name != live]:
        model.graph.input.remove(value_info)
        if value_info.name in values:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(values[value_info.name]), value_info.name))
    return model


def run_cases(folder, cases, *mode):
    """cases: (name, model, input array). Gives name -> (line, outputs by the plain loops, output by the plan or None)."""
    lines = []
    for name, model, x in cases:
        onnx.save(model, folder / f"{name}.onnx")
        np.ascontiguousarray(x, np.float32).tofile(folder / f"{name}.f32")
        lines.append("\t".join([str(folder / f"{name}.onnx"), ",".join(map(str, x.shape)), str(folder / f"{name}.f32"), str(folder / f"{name}.out")]))
    done = subprocess.run([RUNNER, *mode], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    if len(said) != len(lines):
        raise AssertionError(f"the runner ended at case {cases[len(said)][0]}: {done.stderr}")
    results = {}
    for (name, _, _), line in zip(cases, said):
        outputs = []
        while line.startswith("ok") and (folder / f"{name}.out.{len(outputs)}").exists():
            outputs.append(np.fromfile(folder / f"{name}.out.{len(outputs)}", np.float32))
        plan = folder / f"{name}.out.plan"
        results[name] = (line, outputs, np.fromfile(plan, np.float32) if line == "ok plan" else None)
    return results


def runtime(folder, model, x):
    """ONNX Runtime's first output for a file, or why it refuses."""
    np.ascontiguousarray(x, np.float32).tofile(folder / "runtime.in")
    done = subprocess.run(["node", HERE / "run_onnx.js", model, folder / "runtime.in", ",".join(map(str, x.shape)), folder / "runtime.out"],
                          capture_output=True, text=True, env={**os.environ, "NODE_PATH": MODULES})
    if done.returncode != 0:
        raise AssertionError(f"ONNX Runtime: {done.stderr}")
    return np.fromfile(folder / "runtime.out", np.float32).reshape([int(n) for n in done.stdout.split(",") if n.strip()])
