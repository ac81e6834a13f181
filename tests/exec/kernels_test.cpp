// Oracle of every case: the plain loops of shiftnorm/exec/reference.hpp, which accumulate in double.
#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

#include "exec/against_reference.hpp"

using namespace shiftnorm;
using namespace shiftnorm::test;

namespace {

struct ConvolutionCase {
  const char* name;
  Ints input, weights, strides, pads, dilations;
  std::int64_t group;
};

}  // namespace

TEST_CASE("Convolutions agree with plain loops", "[exec]") {
  const auto c = GENERATE(values<ConvolutionCase>(
      {{"first layer, three channels", {1, 3, 21, 17}, {16, 3, 7, 7}, {2, 2}, {3, 3, 3, 3}, {1, 1}, 1},
       {"first layer, one channel", {1, 1, 20, 20}, {8, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
       {"first layer, five channels", {1, 5, 9, 9}, {7, 5, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
       {"one by one", {1, 32, 9, 11}, {48, 32, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
       {"one by one, uneven channels", {1, 24, 19, 21}, {88, 24, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
       {"one by one, few pixels", {1, 40, 1, 3}, {19, 40, 1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},
       {"one by one, padded", {1, 16, 5, 5}, {16, 16, 1, 1}, {1, 1}, {1, 0, 0, 1}, {1, 1}, 1},
       {"one by one of three axes", {1, 8, 3, 4, 5}, {33, 8, 1, 1, 1}, {1, 1, 1}, {0, 0, 0, 0, 0, 0}, {1, 1, 1}, 1},
       {"one by one, strided", {1, 32, 9, 11}, {64, 32, 1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}, 1},
       {"three by three, strided", {1, 16, 15, 14}, {32, 16, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 1},
       {"odd channels", {1, 19, 10, 10}, {37, 19, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 1},
       {"asymmetric padding", {1, 16, 8, 8}, {16, 16, 3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 1}, 1},
       {"dilated", {1, 16, 12, 12}, {16, 16, 3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}, 1},
       {"grouped", {1, 32, 10, 10}, {64, 8, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 4},
       {"groups of less than a block", {1, 48, 10, 10}, {48, 4, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 12},
       {"groups that fill no block together", {1, 72, 9, 9}, {72, 24, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 3},
       {"groups of one output", {1, 40, 9, 9}, {20, 2, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 20},
       {"depthwise", {1, 24, 10, 10}, {24, 1, 3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 1}, 24},
       {"depthwise, wide", {1, 32, 9, 30}, {32, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 32},
       {"depthwise, asymmetric padding", {1, 32, 28, 28}, {32, 1, 3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 1}, 32},
       {"depthwise, no padding", {1, 16, 12, 19}, {16, 1, 5, 5}, {1, 1}, {0, 0, 0, 0}, {1, 1}, 16},
       {"depthwise, more padding than taps", {1, 16, 4, 5}, {16, 1, 3, 3}, {1, 1}, {4, 3, 5, 2}, {1, 1}, 16},
       {"depthwise, five by five", {1, 40, 15, 15}, {40, 1, 5, 5}, {2, 2}, {2, 2, 2, 2}, {1, 1}, 40},
       {"depthwise, seven by seven", {1, 16, 15, 15}, {16, 1, 7, 7}, {1, 1}, {3, 3, 3, 3}, {1, 1}, 16},
       {"depthwise, dilated", {1, 16, 15, 15}, {16, 1, 3, 3}, {1, 1}, {2, 2, 2, 2}, {2, 2}, 16},
       {"one axis", {1, 12, 40}, {20, 12, 5}, {2}, {2, 2}, {1}, 1},
       {"three axes", {1, 4, 6, 7, 8}, {9, 4, 3, 3, 3}, {1, 1, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 1}, 1}}));
  CAPTURE(c.name);
  const bool bias = GENERATE(false, true);
  Graph g;
  std::vector<ValueId> in{g.add_input("x", Shape(c.input)), g.add_parameter("w", Shape(c.weights))};
  if (bias) in.push_back(g.add_parameter("b", Shape{c.weights[0]}));
  const ValueId y = g.add("Conv", "conv", in,
                          {{"strides", c.strides}, {"pads", c.pads}, {"dilations", c.dilations}, {"group", c.group}});
  // A second convolution reads what the first one wrote, its padding channels included.
  const ValueId w2 = g.add_parameter("w2", [&] {
    Ints extents(c.weights.size(), 1);
    extents[0] = 6;
    extents[1] = c.weights[0];
    return Shape(extents);
  }());
  check_against_reference(g, {g.add("Conv", "conv2", {g.add("Relu", "relu", {y}), w2})});
}

TEST_CASE("Normalisation joins with activation and residual in every form", "[exec]") {
  const std::int64_t channels = GENERATE(16, 5, 40);
  const int form = GENERATE(range(0, 12));
  CAPTURE(channels, form);
  Graph g;
  const ValueId x = conv(g, "c0", g.add_input("x", Shape{1, 3, 21, 17}), 3, channels);
  const ValueId a = norm(g, "bn1", x, channels);
  const ValueId y = conv(g, "c1", x, channels, channels);
  ValueId out = a;
  switch (form) {
    case 0: break;  // alone
    case 1: out = g.add("Relu", "r", {a}); break;
    case 2: out = g.add("Relu", "r", {g.add("Add", "add", {a, y})}); break;  // with a plain value
    case 3:
      out = g.add("Relu", "r", {g.add("Add", "add", {norm(g, "bn2", y, channels), a})});
      break;                                                                 // both normalised
    case 4: out = g.add("Add", "add", {y, a}); break;                        // no activation
    case 5: out = g.add("Add", "add", {a, g.add("Relu", "r", {a})}); break;  // one value, two readers
    case 6: out = g.add("Clip", "r6", {a, g.add_parameter("low", Shape{}), graph::kNone}); break;
    case 7: out = g.add("Mul", "swish", {a, g.add("Sigmoid", "s", {a})}); break;
    case 8: {  // a swish turned round, of a sum
      const ValueId sum = g.add("Add", "add", {a, y});
      out = g.add("Mul", "swish", {g.add("Sigmoid", "s", {sum}), sum});
      break;
    }
    case 9: {  // a swish whose argument has another reader, and a product with another value's sigmoid
      const ValueId swish = g.add("Mul", "swish", {a, g.add("Sigmoid", "s", {a})});
      out = g.add("Mul", "gate", {g.add("Add", "add", {swish, a}), g.add("Sigmoid", "t", {y})});
      break;
    }
    case 10: {  // a sigmoid with another reader than its product
      const ValueId s = g.add("Sigmoid", "s", {a});
      out = g.add("Add", "add", {g.add("Mul", "swish", {a, s}), s});
      break;
    }
    default:
      out =
          g.add("Add", "twice", {g.add("Add", "add", {a, norm(g, "bn2", y, channels)}), g.add("Add", "same", {y, y})});
      break;
  }
  check_against_reference(g, {out});
}

TEST_CASE("Pools agree with plain loops", "[exec]") {
  const std::string op = GENERATE("MaxPool", "AveragePool");
  const std::int64_t ceil_mode = GENERATE(0, 1), include = GENERATE(0, 1), channels = GENERATE(16, 3);
  const Ints dilations = GENERATE(values<Ints>({{1, 1}, {2, 1}}));
  CAPTURE(op, ceil_mode, include, channels, dilations);
  if (op == "AveragePool" && dilations != Ints{1, 1}) return;  // opset 17 has no dilated average
  Graph g;
  const ValueId x = conv(g, "c0", g.add_input("x", Shape{1, 3, 12, 15}), 3, channels);
  std::map<std::string, graph::Attribute> attributes{{"kernel_shape", Ints{3, 2}},
                                                     {"strides", Ints{2, 3}},
                                                     {"pads", Ints{1, 0, 1, 1}},
                                                     {"ceil_mode", ceil_mode},
                                                     {"dilations", dilations}};
  if (op == "AveragePool") attributes["count_include_pad"] = include;
  check_against_reference(g, {g.add(op, "pool", {x}, attributes)});
}

TEST_CASE("A network's tail agrees with plain loops", "[exec]") {
  const std::int64_t channels = GENERATE(32, 21), transposed = GENERATE(0, 1);
  Graph g;
  const ValueId x = conv(g, "c0", g.add_input("x", Shape{1, 3, 6, 6}), 3, channels);
  const bool global = GENERATE(true, false);
  const ValueId pooled = global ? g.add("GlobalAveragePool", "gap", {x}) : x;
  const std::int64_t features = channels * (global ? 1 : 36);
  const ValueId flat = g.add("Flatten", "flat", {g.add("Dropout", "drop", {g.add("Identity", "same", {pooled})})});
  const ValueId w = g.add_parameter("w", transposed != 0 ? Shape{11, features} : Shape{features, 11}),
                b = g.add_parameter("b", Shape{11});
  const ValueId logits = g.add("Gemm", "fc", {flat, w, b}, {{"transB", transposed}, {"alpha", 0.5f}, {"beta", 2.0f}});
  check_against_reference(g, {g.add("Softmax", "prob", {logits})});
}

TEST_CASE("Slice, Pad, Concat and elementwise operators agree with plain loops", "[exec]") {
  const std::int64_t channels = GENERATE(16, 6);
  Graph g;
  const ValueId x = conv(g, "c0", g.add_input("x", Shape{1, 3, 9, 8}), 3, channels);
  const int form = GENERATE(range(0, 12));
  CAPTURE(channels, form);
  ValueId out = x;
  switch (form) {
    case 0: {
      const std::int64_t end = std::numeric_limits<std::int64_t>::max();
      const ValueId s = g.add("Slice", "s",
                              {x, g.add_constant("b", {0, 1}), g.add_constant("e", {end, -1}),
                               g.add_constant("a", {2, 3}), g.add_constant("t", {2, 3})});
      out = g.add("Pad", "p", {s, g.add_constant("pads", {0, 3, 1, 0, 0, 5, 0, 2})});
      break;
    }
    case 1: out = g.add("Concat", "cat", {x, g.add("Relu", "r", {x}), x}, {{"axis", std::int64_t{1}}}); break;
    case 2: out = g.add("Concat", "cat", {x, x}, {{"axis", std::int64_t{-1}}}); break;
    case 3:
      out = g.add("Mul", "m", {x, g.add("Sigmoid", "s", {g.add("GlobalAveragePool", "gap", {x})})});
      break;  // squeeze-excite
    case 4: out = g.add("Add", "a", {x, g.add_parameter("bias", Shape{channels, 1, 1})}); break;
    case 5: out = g.add("Clip", "c", {x, g.add_parameter("low", Shape{}), graph::kNone}); break;
    case 6:
      out = g.add("HardSwish", "hs", {g.add("Mul", "m", {x, g.add_parameter("six", Shape{channels, 1, 1})})});
      break;
    case 7: out = g.add("HardSigmoid", "hs", {x}, {{"alpha", 1.0f / 6.0f}}); break;
    case 8: out = g.add("Mul", "silu", {x, g.add("Sigmoid", "s", {x})}); break;
    case 9:
      out = g.add("Gather", "shuffle", {x, g.add_constant("i", {5, 0, 3, 3, 1})}, {{"axis", std::int64_t{1}}});
      break;
    case 10: {  // parts that do not fill their blocks, one of them plain
      out = g.add("Concat", "cat", {conv(g, "c1", x, channels, 5), g.input(), x}, {{"axis", std::int64_t{1}}});
      break;
    }
    default:
      out = g.add("MatMul", "rows",
                  {g.add_parameter("left", Shape{4, 9}),
                   g.add("MatMul", "columns", {x, g.add_parameter("right", Shape{8, 5})})});
      break;
  }
  const ValueId next = conv(
      g, "after", out,
      [&] {
        g.set_outputs({out});
        graph::infer_shapes(g);
        return (*g.value(out).shape)[1];
      }(),
      4);
  check_against_reference(g, {next});
}
