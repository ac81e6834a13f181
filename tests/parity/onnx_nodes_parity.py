"""ONNX's own backend node tests (to opset 17) for the operators that docs/formats.md names: every float32 case by the
plain loops, and by the compiled plan where the case keeps images apart. Cases that do not pass stand in
onnx_node_exceptions.txt with their reason; the suite fails for one that is not there, and for one that now passes."""
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

from onnx_cases import bind_inputs, np, numpy_helper, onnx, run_cases

warnings.simplefilter("ignore")
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

OPERATORS = set("""Abs Add And AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose DepthToSpace Div Dropout
Elu Equal Erf Exp Expand Flatten Floor Gather Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Hardmax Identity
InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mul Neg Not Or PRelu Pad Pow
Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize
Round Selu Shape Sigmoid Sign Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile Transpose Unsqueeze
Upsample Where Xor""".split())
EXCEPTIONS = Path(__file__).parent / "onnx_node_exceptions.txt"


def float_cases():
    """(name, model with all inputs but the first of float32 bound, that input, expected outputs)."""
    seen = {}
    for case in collect_testcases(None) if collect_testcases.__code__.co_argcount else collect_testcases():
        ops = {node.op_type for node in case.model.graph.node}
        if not ops <= OPERATORS or "_expanded" in case.name:
            continue
        inputs, outputs = case.data_sets[0]
        names = [i.name for i in case.model.graph.input]
        arrays = []
        for value in inputs:
            arrays.append(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)
        if not all(isinstance(value, (np.ndarray, np.generic)) for value in arrays):
            continue
        live = next((i for i, value in enumerate(arrays) if value.dtype == np.float32 and value.ndim > 0), None)
        expected = [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in outputs]
        if live is None or any(not isinstance(v, (np.ndarray, np.generic)) or v.dtype == object for v in expected):
            continue
        # Half precision as bit patterns, and the kinds that no image takes.
        if any(value.dtype in (np.float64, np.float16, np.uint16) for value in arrays + [np.asarray(v) for v in expected]):
            continue
        # The generator writes the version in which the form appeared; those before 7 are the same in 7.
        case.model.opset_import[0].version = max(7, case.model.opset_import[0].version)
        seen[case.name] = seen.get(case.name, 0) + 1  # one name is given twice
        name = case.name + (f"_{seen[case.name]}" if seen[case.name] > 1 else "")
        yield name, bind_inputs(case.model, dict(zip(names, arrays)), names[live]), arrays[live], expected, case.rtol, case.atol


def wrong(found, expected, rtol, atol):
    expected = np.asarray(expected)
    if found.size != expected.size:
        return f"{found.size} values; expected {expected.size}"
    if not np.allclose(found, expected.astype(np.float32).ravel(), rtol=rtol, atol=max(atol, 1e-6), equal_nan=True):
        return f"off by {np.abs(found - expected.astype(np.float32).ravel()).max():.3g}"
    return None


class Nodes(unittest.TestCase):
    def test_backend_node_cases(self):
        exceptions = {}
        for line in EXCEPTIONS.read_text().splitlines():
            if line and not line.startswith("#"):
                name, reason = line.split(":", 1)
                exceptions[name.strip()] = reason.strip()
        cases = list(float_cases())
        with tempfile.TemporaryDirectory() as folder:
            results = run_cases(Path(folder), [(name, model, x) for name, model, x, *_ in cases])
        failed, planned = {}, 0
        for name, _, _, expected, rtol, atol in cases:
            line, outputs, plan = results[name]
            problem = None if line.startswith("ok") else line
            # Outputs beyond the first are left out where the network does not use them.
            for k, (found, want) in enumerate(zip(outputs, expected)):
                problem = problem or (wrong(found, want, rtol, atol) and f"output {k} {wrong(found, want, rtol, atol)}")
            if not problem and not outputs:
                problem = "no output"
            if not problem and plan is not None:
                planned += 1
                problem = wrong(plan, expected[0], max(rtol, 1e-4), max(atol, 1e-5))
                problem = problem and f"plan: {problem}"
            if problem:
                failed[name] = problem
        passed = len(cases) - len(failed)
        print(f"{passed} of {len(cases)} float32 cases pass ({100 * passed / len(cases):.1f} %), {planned} of them also by the compiled plan")
        unlisted = {name: why for name, why in failed.items() if name not in exceptions}
        for name, why in unlisted.items():
            print(f"{name}: {why}")
        self.assertEqual(unlisted, {})
        self.assertEqual([name for name in exceptions if name not in failed], [], "listed, and passes")
        self.assertGreaterEqual(passed / len(cases), 0.95)
        self.assertGreater(planned, 100)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
