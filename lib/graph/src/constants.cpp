#include "shiftnorm/graph/constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "shiftnorm/core/error.hpp"

namespace shiftnorm::graph {
namespace {

using Integers = std::vector<std::int64_t>;

/// The operands of a node that is being computed.
struct Operands {
  const Node& node;
  std::span<const Value* const> inputs;
  FoldBudget& budget;

  [[nodiscard]] bool has(std::size_t index) const { return index < inputs.size() && inputs[index] != nullptr; }
  [[nodiscard]] const Value& at(std::size_t index) const {
    if (!has(index)) throw FormatError(fmt::format("input {} of {} is absent", index, node.op));
    return *inputs[index];
  }
  [[nodiscard]] const Shape& shape(std::size_t index) const { return *at(index).shape; }
  /// Integers of input `index`, or of the attribute that older forms have instead.
  [[nodiscard]] std::optional<Integers> integers(std::size_t index, std::string_view key) const {
    if (has(index)) {
      if (!at(index).integers) throw FormatError(fmt::format("input {} of {} holds no integers", index, node.op));
      return at(index).integers;
    }
    const auto it = node.attributes.find(std::string(key));
    if (it == node.attributes.end()) return std::nullopt;
    return node.integers(key, {});
  }
  void spend(std::int64_t elements) const {
    for (const Value* value : inputs)
      if (value != nullptr && value->shape) elements -= value->shape->elements();
    if (elements <= 0) return;
    if (elements > budget.elements)
      throw UnsupportedError(
          fmt::format("{} makes a constant of {} more elements; {} are left of what constants may take", node.op,
                      elements, budget.elements));
    budget.elements -= elements;
  }
};

Value constant(Shape shape, Integers integers) {
  Value value;
  value.shape = std::move(shape);
  value.parameter = true;
  value.integers = std::move(integers);
  return value;
}

Value constant(Tensor tensor) {
  Value value;
  value.shape = tensor.shape;
  value.parameter = true;
  value.tensor = std::move(tensor);
  return value;
}

std::size_t axis_in(std::int64_t axis, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(rank);
  if (axis < -n || axis >= n) throw ShapeError(fmt::format("axis {} of a tensor of rank {}", axis, rank));
  return static_cast<std::size_t>(axis < 0 ? axis + n : axis);
}

/// A value of this shape whose element i is element source[i] of `from`.
Value moved(const Value& from, Shape shape, std::span<const std::int64_t> source) {
  if (from.integers) {
    Integers out(source.size());
    std::transform(source.begin(), source.end(), out.begin(),
                   [&](std::int64_t at) { return from.integers->at(static_cast<std::size_t>(at)); });
    return constant(std::move(shape), std::move(out));
  }
  Tensor out(std::move(shape));
  std::transform(source.begin(), source.end(), out.values.begin(),
                 [&](std::int64_t at) { return from.tensor->values.at(static_cast<std::size_t>(at)); });
  return constant(std::move(out));
}

Value reshaped(const Value& from, Shape shape) {
  if (shape.elements() != from.shape->elements())
    throw ShapeError(fmt::format("{} cannot become {}", from.shape->text(), shape.text()));
  if (from.integers) return constant(std::move(shape), *from.integers);
  Tensor tensor = *from.tensor;
  tensor.shape = std::move(shape);
  return constant(std::move(tensor));
}

Integers strides_of(const Shape& shape) {
  Integers strides(shape.rank());
  for (std::size_t i = 0; i < strides.size(); ++i) strides[i] = shape.elements_from(i + 1);
  return strides;
}

/// For every index of `out`, in row-major order, the offset start + sum of index * strides.
Integers offsets(const Shape& out, const Integers& strides, std::int64_t start = 0) {
  Integers at(out.rank(), 0), all;
  all.reserve(static_cast<std::size_t>(out.elements()));
  std::int64_t offset = start;
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    all.push_back(offset);
    for (std::size_t axis = out.rank(); axis-- > 0;) {
      offset += strides[axis];
      if (++at[axis] < out[axis]) break;
      offset -= strides[axis] * out[axis];
      at[axis] = 0;
    }
  }
  return all;
}

Integers broadcast_strides(const Shape& from, const Shape& to) {
  const Integers own = strides_of(from);
  Integers strides(to.rank(), 0);
  for (std::size_t i = 0; i < from.rank(); ++i)
    if (from[i] != 1) strides[to.rank() - from.rank() + i] = own[i];
  return strides;
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  Integers out = a.rank() > b.rank() ? a.extents() : b.extents();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto extent = [&](const Shape& s) {
      return i + s.rank() < out.size() ? std::int64_t{1} : s[i + s.rank() - out.size()];
    };
    const std::int64_t x = extent(a), y = extent(b);
    if (x != y && x != 1 && y != 1) throw ShapeError(fmt::format("{} and {} do not broadcast", a.text(), b.text()));
    out[i] = x == 1 ? y : x;
  }
  return Shape(std::move(out));
}

Value fold_shape(const Operands& in) {
  const Shape& shape = in.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.rank());
  const auto clamped = [rank](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const std::int64_t from = clamped(in.node.integer("start", 0)), to = clamped(in.node.integer("end", rank));
  Integers part;
  for (std::int64_t i = from; i < to; ++i) part.push_back(shape[static_cast<std::size_t>(i)]);
  const auto n = static_cast<std::int64_t>(part.size());
  return constant(Shape{n}, std::move(part));
}

Value fold_size(const Operands& in) { return constant(Shape{}, Integers{in.shape(0).elements()}); }

Value fold_identity(const Operands& in) { return reshaped(in.at(0), in.shape(0)); }

Value fold_flatten(const Operands& in) {
  const Shape& shape = in.shape(0);
  const std::int64_t given = in.node.integer("axis", 1), rank = static_cast<std::int64_t>(shape.rank());
  if (given < -rank || given > rank) throw ShapeError(fmt::format("axis {} of a tensor of rank {}", given, rank));
  const std::int64_t inner = shape.elements_from(static_cast<std::size_t>(given < 0 ? given + rank : given));
  return reshaped(in.at(0), Shape{inner == 0 ? 0 : shape.elements() / inner, inner});
}

Value fold_reshape(const Operands& in) {
  const Shape& shape = in.shape(0);
  Integers target = in.integers(1, "shape").value_or(Integers{});
  std::int64_t known = 1;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0 && in.node.integer("allowzero", 0) == 0) target[i] = i < shape.rank() ? shape[i] : 0;
    if (target[i] == -1) {
      if (open) throw ShapeError("Reshape to a shape with two open extents");
      open = i;
    } else if (__builtin_mul_overflow(known, target[i], &known)) {
      throw ShapeError("Reshape to a shape whose product overflows");
    }
  }
  if (open) target[*open] = known == 0 ? 0 : shape.elements() / known;
  return reshaped(in.at(0), Shape(std::move(target)));
}

Value fold_squeeze(const Operands& in) {
  const Shape& shape = in.shape(0);
  const std::optional<Integers> axes = in.integers(1, "axes");
  std::vector<bool> dropped(shape.rank());
  if (axes)
    for (const std::int64_t axis : *axes) dropped[axis_in(axis, shape.rank())] = true;
  Integers out;
  for (std::size_t i = 0; i < shape.rank(); ++i)
    if (axes ? !dropped[i] : shape[i] != 1) out.push_back(shape[i]);
  return reshaped(in.at(0), Shape(std::move(out)));
}

Value fold_unsqueeze(const Operands& in) {
  const Shape& shape = in.shape(0);
  const Integers axes = in.integers(1, "axes").value_or(Integers{});
  std::vector<bool> added(shape.rank() + axes.size());
  for (const std::int64_t axis : axes) added[axis_in(axis, added.size())] = true;
  Integers out;
  std::size_t next = 0;
  for (const bool fresh : added) {
    if (!fresh && next >= shape.rank()) throw ShapeError("Unsqueeze names an axis twice");
    out.push_back(fresh ? 1 : shape[next++]);
  }
  return reshaped(in.at(0), Shape(std::move(out)));
}

Value fold_transpose(const Operands& in) {
  const Shape& shape = in.shape(0);
  Integers perm(shape.rank());
  for (std::size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<std::int64_t>(perm.size() - 1 - i);
  perm = in.node.integers("perm", perm);
  const Integers own = strides_of(shape);
  Integers extents, strides;
  std::vector<bool> seen(shape.rank());
  for (const std::int64_t axis : perm) {
    const std::size_t from = axis_in(axis, shape.rank());
    if (seen[from]) throw ShapeError("Transpose names an axis twice");
    seen[from] = true;
    extents.push_back(shape[from]);
    strides.push_back(own[from]);
  }
  if (extents.size() != shape.rank()) throw ShapeError("Transpose names too few axes");
  const Shape out(std::move(extents));
  return moved(in.at(0), out, offsets(out, strides));
}

Value fold_expand(const Operands& in) {
  const Shape out = broadcast_shape(in.shape(0), Shape(in.integers(1, "shape").value_or(Integers{})));
  in.spend(out.elements());
  return moved(in.at(0), out, offsets(out, broadcast_strides(in.shape(0), out)));
}

Value fold_tile(const Operands& in) {
  const Shape& shape = in.shape(0);
  const Integers repeats = in.integers(1, "repeats").value_or(Integers{});
  if (repeats.size() != shape.rank()) throw ShapeError("Tile has another number of repeats than its input has axes");
  Integers extents = shape.extents();
  for (std::size_t i = 0; i < extents.size(); ++i)
    if (repeats[i] < 0 || __builtin_mul_overflow(extents[i], repeats[i], &extents[i]))
      throw ShapeError("Tile with repeats that are negative or overflow");
  const Shape out(std::move(extents));
  in.spend(out.elements());
  const Integers own = strides_of(shape);
  Integers source, at(out.rank(), 0);
  source.reserve(static_cast<std::size_t>(out.elements()));
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < at.size(); ++axis) offset += at[axis] % shape[axis] * own[axis];
    source.push_back(offset);
    for (std::size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < out[axis]) break;
      at[axis] = 0;
    }
  }
  return moved(in.at(0), out, source);
}

Value fold_gather(const Operands& in) {
  const Shape &shape = in.shape(0), &picked = in.shape(1);
  const Integers indices = in.integers(1, "indices").value_or(Integers{});
  const std::size_t axis = axis_in(in.node.integer("axis", 0), shape.rank());
  Integers extents(shape.extents().begin(), shape.extents().begin() + static_cast<std::ptrdiff_t>(axis));
  extents.insert(extents.end(), picked.extents().begin(), picked.extents().end());
  extents.insert(extents.end(), shape.extents().begin() + static_cast<std::ptrdiff_t>(axis) + 1, shape.extents().end());
  const Shape out(std::move(extents));
  in.spend(out.elements());
  const std::int64_t inner = shape.elements_from(axis + 1), n = shape[axis];
  const std::int64_t outer = shape.elements() == 0 ? 0 : shape.elements() / (inner * n);
  Integers source;
  source.reserve(static_cast<std::size_t>(out.elements()));
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t index : indices) {
      if (index < -n || index >= n) throw ShapeError(fmt::format("Gather index {} of {}", index, n));
      for (std::int64_t i = 0; i < inner; ++i) source.push_back((o * n + (index < 0 ? index + n : index)) * inner + i);
    }
  return moved(in.at(0), out, source);
}

Value fold_slice(const Operands& in) {
  const Shape& shape = in.shape(0);
  const Integers starts = in.integers(1, "starts").value_or(Integers{});
  const Integers ends = in.integers(2, "ends").value_or(Integers{});
  Integers every(starts.size());
  std::iota(every.begin(), every.end(), 0);
  const Integers axes = in.integers(3, "axes").value_or(every);
  const Integers steps = in.integers(4, "steps").value_or(Integers(starts.size(), 1));
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    throw ShapeError("Slice has starts, ends, axes and steps of different lengths");
  Integers extents = shape.extents(), strides = strides_of(shape);
  std::int64_t start = 0;
  for (std::size_t k = 0; k < starts.size(); ++k) {
    const std::size_t axis = axis_in(axes[k], shape.rank());
    const std::int64_t n = shape[axis], step = steps[k];
    if (step == 0 || step == std::numeric_limits<std::int64_t>::min())
      throw ShapeError(fmt::format("Slice with step {}", step));
    const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    const auto clamped = [&](std::int64_t v) { return std::clamp(v < 0 ? std::max(v, -n - 1) + n : v, low, high); };
    const std::int64_t from = clamped(starts[k]), to = clamped(ends[k]);
    const std::int64_t span = step > 0 ? to - from : from - to, stride = std::abs(step);
    extents[axis] = span > 0 ? (span - 1) / stride + 1 : 0;
    start += from * strides[axis];
    // A step beyond the extent takes one element, and must not overflow on the way.
    strides[axis] *= extents[axis] > 1 ? step : 0;
  }
  const Shape out(std::move(extents));
  return moved(in.at(0), out, offsets(out, strides, out.elements() == 0 ? 0 : start));
}

Value fold_concat(const Operands& in) {
  const bool floating = !in.at(0).integers;
  const std::size_t axis = axis_in(in.node.integer("axis", 0), in.shape(0).rank());
  Integers extents = in.shape(0).extents();
  extents[axis] = 0;
  for (const Value* value : in.inputs) {
    if (value == nullptr || value->integers.has_value() == floating || value->shape->rank() != extents.size())
      throw ShapeError("Concat of constants of different kinds or ranks");
    for (std::size_t i = 0; i < extents.size(); ++i)
      if (i != axis && (*value->shape)[i] != extents[i])
        throw ShapeError(fmt::format("{} does not join {}", value->shape->text(), in.shape(0).text()));
    extents[axis] += (*value->shape)[axis];
  }
  const Shape out(std::move(extents));
  Integers integers;
  std::vector<float> floats;
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= out[i];
  for (std::int64_t o = 0; o < outer; ++o)
    for (const Value* value : in.inputs) {
      const std::int64_t run = value->shape->elements_from(axis);
      if (floating)
        floats.insert(floats.end(), value->tensor->values.begin() + o * run,
                      value->tensor->values.begin() + (o + 1) * run);
      else
        integers.insert(integers.end(), value->integers->begin() + o * run, value->integers->begin() + (o + 1) * run);
    }
  return floating ? constant(Tensor(out, floats)) : constant(out, std::move(integers));
}

Value fold_constant_of_shape(const Operands& in) {
  const Shape shape(in.integers(0, "shape").value_or(Integers{}));
  in.spend(shape.elements());
  const auto it = in.node.attributes.find("value");
  if (it != in.node.attributes.end() && std::holds_alternative<std::int64_t>(it->second))
    return constant(shape, Integers(static_cast<std::size_t>(shape.elements()), std::get<std::int64_t>(it->second)));
  Tensor tensor(shape);
  std::fill(tensor.values.begin(), tensor.values.end(), in.node.number("value", 0.0f));
  return constant(std::move(tensor));
}

double number_at(const Value& value, std::size_t index) {
  return value.integers ? static_cast<double>(value.integers->at(index))
                        : static_cast<double>(value.tensor->values.at(index));
}

Value fold_range(const Operands& in) {
  for (std::size_t i = 0; i < 3; ++i)
    if (in.shape(i).elements() != 1) throw ShapeError("Range with an operand that is no scalar");
  const double start = number_at(in.at(0), 0), limit = number_at(in.at(1), 0), delta = number_at(in.at(2), 0);
  const double count = std::max(std::ceil((limit - start) / delta), 0.0);
  if (delta == 0 || !(count < 1e15)) throw ShapeError(fmt::format("Range from {} to {} by {}", start, limit, delta));
  const auto n = static_cast<std::int64_t>(count);
  in.spend(n);
  if (in.at(0).integers) {
    Integers out;
    for (std::int64_t i = 0; i < n; ++i) out.push_back((*in.at(0).integers)[0] + i * (*in.at(2).integers).at(0));
    return constant(Shape{n}, std::move(out));
  }
  Tensor out(Shape{n});
  for (std::int64_t i = 0; i < n; ++i)
    out.values[static_cast<std::size_t>(i)] = static_cast<float>(start + static_cast<double>(i) * delta);
  return constant(std::move(out));
}

Value fold_cast(const Operands& in) {
  // ONNX's numbers of element types; fold_cast keeps integers, floating-point numbers and truth values apart.
  constexpr std::array<std::int64_t, 4> kFloating{1, 10, 11, 16};
  constexpr std::int64_t kBool = 9, kString = 8;
  const std::int64_t to = in.node.integer("to", 1);
  if (to == kString) throw UnsupportedError("Cast to text");
  const Value& from = in.at(0);
  if (std::find(kFloating.begin(), kFloating.end(), to) != kFloating.end()) {
    if (!from.integers) return reshaped(from, *from.shape);
    Tensor out(*from.shape);
    std::transform(from.integers->begin(), from.integers->end(), out.values.begin(),
                   [](std::int64_t v) { return static_cast<float>(v); });
    return constant(std::move(out));
  }
  Integers out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(from.shape->elements()); ++i) {
    const double v = number_at(from, i);
    if (!from.integers && !(std::abs(v) < 9e18)) throw ShapeError(fmt::format("Cast of {} to an integer", v));
    const std::int64_t whole = from.integers ? (*from.integers)[i] : static_cast<std::int64_t>(v);
    out.push_back(to == kBool ? (v != 0 ? 1 : 0) : whole);
  }
  return constant(*from.shape, std::move(out));
}

/// One operation on two numbers, in both kinds. Integers: false where the result does not fit or is not defined.
struct Binary {
  bool (*integer)(std::int64_t a, std::int64_t b, std::int64_t& out);
  double (*floating)(double a, double b);
  bool truth = false;  ///< gives 0 or 1
};

Value fold_binary(const Operands& in, const Binary& op, const Value& a, const Value& b) {
  if (a.integers.has_value() != b.integers.has_value())
    throw FormatError(fmt::format("{} of an integer and a floating-point constant", in.node.op));
  const Shape out = broadcast_shape(*a.shape, *b.shape);
  in.spend(out.elements());
  const Integers from_a = offsets(out, broadcast_strides(*a.shape, out)),
                 from_b = offsets(out, broadcast_strides(*b.shape, out));
  if (!a.integers && !op.truth) {
    Tensor tensor(out);
    for (std::size_t i = 0; i < from_a.size(); ++i)
      tensor.values[i] = static_cast<float>(op.floating(number_at(a, static_cast<std::size_t>(from_a[i])),
                                                        number_at(b, static_cast<std::size_t>(from_b[i]))));
    return constant(std::move(tensor));
  }
  Integers integers(from_a.size());
  for (std::size_t i = 0; i < from_a.size(); ++i) {
    const auto at_a = static_cast<std::size_t>(from_a[i]), at_b = static_cast<std::size_t>(from_b[i]);
    if (!a.integers)
      integers[i] = op.floating(number_at(a, at_a), number_at(b, at_b)) != 0 ? 1 : 0;
    else if (!op.integer((*a.integers)[at_a], (*b.integers)[at_b], integers[i]))
      throw ShapeError(fmt::format("{} of {} and {} overflows or divides by zero", in.node.op, (*a.integers)[at_a],
                                   (*b.integers)[at_b]));
  }
  return constant(out, std::move(integers));
}

using I = std::int64_t;
const std::map<std::string_view, Binary>& binaries() {
  static const std::map<std::string_view, Binary> kBinaries{
      {"Add",
       {[](I a, I b, I& o) { return !__builtin_add_overflow(a, b, &o); }, [](double a, double b) { return a + b; }}},
      {"Sub",
       {[](I a, I b, I& o) { return !__builtin_sub_overflow(a, b, &o); }, [](double a, double b) { return a - b; }}},
      {"Mul",
       {[](I a, I b, I& o) { return !__builtin_mul_overflow(a, b, &o); }, [](double a, double b) { return a * b; }}},
      {"Div",
       {[](I a, I b, I& o) {
          if (b == 0 || (b == -1 && a == std::numeric_limits<I>::min())) return false;
          o = a / b;
          return true;
        },
        [](double a, double b) { return a / b; }}},
      {"Mod",
       {[](I a, I b, I& o) {
          if (b == 0 || b == -1) return o = 0, b != 0;
          o = a % b;
          if (o != 0 && (o < 0) != (b < 0)) o += b;
          return true;
        },
        [](double a, double b) { return std::fmod(a, b); }}},
      {"Pow",
       {[](I a, I b, I& o) {
          const double p = std::pow(static_cast<double>(a), static_cast<double>(b));
          o = std::abs(p) < 9e15 ? static_cast<I>(p) : 0;
          return std::abs(p) < 9e15;
        },
        [](double a, double b) { return std::pow(a, b); }}},
      {"Max",
       {[](I a, I b, I& o) { return o = std::max(a, b), true; }, [](double a, double b) { return std::max(a, b); }}},
      {"Min",
       {[](I a, I b, I& o) { return o = std::min(a, b), true; }, [](double a, double b) { return std::min(a, b); }}},
      {"Equal",
       {[](I a, I b, I& o) { return o = a == b ? 1 : 0, true; }, [](double a, double b) { return a == b ? 1.0 : 0.0; },
        true}},
      {"Greater",
       {[](I a, I b, I& o) { return o = a > b ? 1 : 0, true; }, [](double a, double b) { return a > b ? 1.0 : 0.0; },
        true}},
      {"GreaterOrEqual",
       {[](I a, I b, I& o) { return o = a >= b ? 1 : 0, true; }, [](double a, double b) { return a >= b ? 1.0 : 0.0; },
        true}},
      {"Less",
       {[](I a, I b, I& o) { return o = a < b ? 1 : 0, true; }, [](double a, double b) { return a < b ? 1.0 : 0.0; },
        true}},
      {"LessOrEqual",
       {[](I a, I b, I& o) { return o = a <= b ? 1 : 0, true; }, [](double a, double b) { return a <= b ? 1.0 : 0.0; },
        true}},
      {"And",
       {[](I a, I b, I& o) { return o = a != 0 && b != 0 ? 1 : 0, true; },
        [](double a, double b) { return a != 0 && b != 0 ? 1.0 : 0.0; }, true}},
      {"Or",
       {[](I a, I b, I& o) { return o = a != 0 || b != 0 ? 1 : 0, true; },
        [](double a, double b) { return a != 0 || b != 0 ? 1.0 : 0.0; }, true}}};
  return kBinaries;
}

/// Max and Min take any number of operands.
Value fold_elementwise(const Operands& in) {
  const Binary& op = binaries().at(in.node.op);
  Value result = in.at(0);
  for (std::size_t i = 1; i < in.inputs.size(); ++i) result = fold_binary(in, op, result, in.at(i));
  return result;
}

/// Integers are exact as double below 2^53, beyond any extent; operations that give another number are not defined for
/// them.
struct Unary {
  double (*f)(double);
  bool integers = true;
};
const std::map<std::string_view, Unary>& unaries() {
  static const std::map<std::string_view, Unary> kUnaries{{"Floor", {[](double x) { return std::floor(x); }}},
                                                          {"Ceil", {[](double x) { return std::ceil(x); }}},
                                                          {"Round", {[](double x) { return std::nearbyint(x); }}},
                                                          {"Neg", {[](double x) { return -x; }}},
                                                          {"Abs", {[](double x) { return std::abs(x); }}},
                                                          {"Not", {[](double x) { return x == 0 ? 1.0 : 0.0; }}},
                                                          {"Sqrt", {[](double x) { return std::sqrt(x); }, false}},
                                                          {"Exp", {[](double x) { return std::exp(x); }, false}},
                                                          {"Log", {[](double x) { return std::log(x); }, false}},
                                                          {"Reciprocal", {[](double x) { return 1 / x; }, false}}};
  return kUnaries;
}

Value fold_unary(const Operands& in) {
  const Unary& op = unaries().at(in.node.op);
  Value out = in.at(0);
  if (out.integers) {
    if (!op.integers) throw FormatError(fmt::format("{} of integers", in.node.op));
    for (std::int64_t& v : *out.integers) v = static_cast<std::int64_t>(op.f(static_cast<double>(v)));
  } else {
    for (float& v : out.tensor->values) v = static_cast<float>(op.f(static_cast<double>(v)));
  }
  return out;
}

Value fold_where(const Operands& in) {
  const Value &condition = in.at(0), &yes = in.at(1), &no = in.at(2);
  if (!condition.integers || yes.integers.has_value() != no.integers.has_value())
    throw FormatError("Where on constants of different kinds");
  const Shape out = broadcast_shape(broadcast_shape(*condition.shape, *yes.shape), *no.shape);
  in.spend(out.elements());
  const auto from = [&](const Value& v) { return moved(v, out, offsets(out, broadcast_strides(*v.shape, out))); };
  const Value choice = from(condition), other = from(no);
  Value result = from(yes);
  for (std::size_t i = 0; i < choice.integers->size(); ++i) {
    if ((*choice.integers)[i] != 0) continue;
    if (result.integers)
      (*result.integers)[i] = (*other.integers)[i];
    else
      result.tensor->values[i] = other.tensor->values[i];
  }
  return result;
}

struct Reduction {
  double start;
  double (*join)(double a, double b);
  bool mean = false;
};
const std::map<std::string_view, Reduction>& reductions() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  static const std::map<std::string_view, Reduction> kReductions{
      {"ReduceSum", {0, [](double a, double b) { return a + b; }}},
      {"ReduceMean", {0, [](double a, double b) { return a + b; }, true}},
      {"ReduceProd", {1, [](double a, double b) { return a * b; }}},
      {"ReduceMax", {-kInfinity, [](double a, double b) { return std::max(a, b); }}},
      {"ReduceMin", {kInfinity, [](double a, double b) { return std::min(a, b); }}}};
  return kReductions;
}

Value fold_reduce(const Operands& in) {
  const Reduction& op = reductions().at(in.node.op);
  const Value& from = in.at(0);
  const std::optional<Integers> axes = in.integers(1, "axes");
  if ((!axes || axes->empty()) && in.node.integer("noop_with_empty_axes", 0) != 0) return reshaped(from, *from.shape);
  const bool all = !axes || axes->empty(), keep = in.node.integer("keepdims", 1) != 0;
  std::vector<bool> reduced(from.shape->rank(), all);
  if (!all)
    for (const std::int64_t axis : *axes) reduced[axis_in(axis, reduced.size())] = true;
  Integers kept, extents;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    kept.push_back(reduced[i] ? 1 : (*from.shape)[i]);
    if (keep || !reduced[i]) extents.push_back(kept.back());
  }
  const Shape small(std::move(kept));
  const Integers to = offsets(*from.shape, broadcast_strides(small, *from.shape));
  std::vector<double> sums(static_cast<std::size_t>(small.elements()), op.start);
  for (std::size_t i = 0; i < to.size(); ++i) {
    double& sum = sums[static_cast<std::size_t>(to[i])];
    sum = op.join(sum, number_at(from, i));
  }
  const double share = op.mean && small.elements() > 0
                           ? static_cast<double>(from.shape->elements()) / static_cast<double>(small.elements())
                           : 1.0;
  const Shape out(std::move(extents));
  if (from.integers) {
    Integers integers;
    for (const double sum : sums) {
      if (!(std::abs(sum / share) < 9e15)) throw ShapeError(fmt::format("{} overflows", in.node.op));
      integers.push_back(static_cast<std::int64_t>(sum / share));
    }
    return constant(out, std::move(integers));
  }
  Tensor tensor(out);
  std::transform(sums.begin(), sums.end(), tensor.values.begin(),
                 [share](double sum) { return static_cast<float>(sum / share); });
  return constant(std::move(tensor));
}

using Fold = Value (*)(const Operands&);

const std::map<std::string_view, Fold>& folds() {
  static const std::map<std::string_view, Fold> kFolds = [] {
    std::map<std::string_view, Fold> table{
        {"Cast", fold_cast},           {"Concat", fold_concat},   {"ConstantOfShape", fold_constant_of_shape},
        {"Expand", fold_expand},       {"Flatten", fold_flatten}, {"Gather", fold_gather},
        {"Identity", fold_identity},   {"Range", fold_range},     {"Reshape", fold_reshape},
        {"Shape", fold_shape},         {"Size", fold_size},       {"Slice", fold_slice},
        {"Squeeze", fold_squeeze},     {"Tile", fold_tile},       {"Transpose", fold_transpose},
        {"Unsqueeze", fold_unsqueeze}, {"Where", fold_where}};
    for (const auto& [op, rule] : binaries()) table.emplace(op, fold_elementwise);
    for (const auto& [op, rule] : unaries()) table.emplace(op, fold_unary);
    for (const auto& [op, rule] : reductions()) table.emplace(op, fold_reduce);
    return table;
  }();
  return kFolds;
}

bool asks_for_shape(std::string_view op) { return op == "Shape" || op == "Size"; }

bool known(const Value& value) { return value.parameter && value.shape && (value.tensor || value.integers); }

}  // namespace

bool foldable(std::string_view op) { return folds().contains(op); }

std::optional<Value> constant_of(const Node& node, std::span<const Value* const> inputs, FoldBudget& budget) {
  const auto fold = folds().find(node.op);
  if (fold == folds().end() || inputs.empty()) return std::nullopt;
  const bool shapes = asks_for_shape(node.op);
  for (const Value* value : inputs)
    if (value != nullptr && !(shapes ? value->shape.has_value() : known(*value))) return std::nullopt;
  if (inputs.front() == nullptr) return std::nullopt;
  return fold->second({node, inputs, budget});
}

}  // namespace shiftnorm::graph
