// Oracle of every case: the convolution and the normalisation one after the other. The fused form must give the same
// bits, on every instruction set.
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>

#include "convolution.hpp"
#include "exec/blocked.hpp"
#include "normalise.hpp"

using namespace shiftnorm;
using namespace shiftnorm::exec;
using namespace shiftnorm::test;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct EpilogueCase {
  const char* name;
  Ints input;
  std::int64_t outputs, kernel, stride, groups;
  bool fuses = false;
};

ConvolutionShape shape_of(const EpilogueCase& c) {
  const std::size_t axes = c.input.size() - 2;
  Ints output{1, c.outputs};
  for (std::size_t i = 0; i < axes; ++i) output.push_back((c.input[i + 2] - 1) / c.stride + 1);
  const Ints pads(axes, c.kernel / 2);
  graph::Window window;
  window.kernel = Ints(axes, c.kernel);
  window.strides = Ints(axes, c.stride);
  window.dilations = Ints(axes, 1);
  window.pads_begin = window.pads_end = pads;
  return {Shape(c.input), Shape(output), window, c.groups};
}

/// Of channels with undefined, negative zero and other values.
Affine affine(const Layout& layout) {
  const auto channels = static_cast<std::size_t>(layout.channels);
  const std::vector<float> scale = random_floats(channels, 5), shift = random_floats(channels, 6);
  Affine out;
  out.scale.assign(static_cast<std::size_t>(layout.padded_channels()), 0.0f);
  out.shift = out.scale;
  std::ranges::copy(scale, out.scale.begin());
  std::ranges::copy(shift, out.shift.begin());
  out.shift[0] = -0.0f;  // the convolution gives 0 here
  out.scale[0] = -1.0f;
  if (channels > 1) out.scale[1] = kNan;
  return out;
}

AlignedVector<float> run(const Kernel& kernel, std::vector<const float*> src, std::span<const Affine> affines,
                         std::size_t floats, const Prefetch& prefetch = {}) {
  AlignedVector<float> dst(floats, kNan);
  AlignedVector<std::byte> scratch(kernel.scratch_bytes());  // not a byte more, for the sanitizers
  const std::shared_ptr<void> state = kernel.make_worker_state();
  kernel.run({src, dst.data(), affines, scratch.data(), state.get(), prefetch});
  return dst;
}

/// Channels whose values differ in a bit; an undefined value equals another.
std::vector<std::int64_t> different(const Layout& layout, std::span<const float> a, std::span<const float> b) {
  std::vector<std::int64_t> out;
  for (std::int64_t c = 0; c < layout.channels; ++c)
    for (std::int64_t p = 0; p < layout.pixels; ++p) {
      const auto i = static_cast<std::size_t>(layout.at(c, p));
      if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
      if (std::isnan(a[i]) && std::isnan(b[i])) continue;
      out.push_back(c);
      break;
    }
  return out;
}

}  // namespace

TEST_CASE("A convolution with an epilogue has the bits of convolution and normalisation", "[exec][isa]") {
  limit_once();
  const auto c = GENERATE(values<EpilogueCase>({{"1 x 1", {1, 96, 9, 11}, 48, 1, 1, 1},
                                                {"1 x 1 of few channels", {1, 16, 30, 30}, 96, 1, 1, 1, true},
                                                {"1 x 1 of uneven channels", {1, 24, 23, 24}, 152, 1, 1, 1, true},
                                                {"1 x 1 to one block and a half", {1, 144, 14, 17}, 24, 1, 1, 1},
                                                {"1 x 1 to two blocks and a half", {1, 75, 9, 15}, 39, 1, 1, 1},
                                                {"1 x 1 to half a block", {1, 24, 13, 13}, 7, 1, 1, 1, true},
                                                {"1 x 1 of few pixels", {1, 19, 2, 1}, 16, 1, 1, 1, true},
                                                {"1 x 1 along one axis", {1, 40, 513}, 40, 1, 1, 1, true},
                                                {"3 x 3", {1, 64, 14, 14}, 64, 3, 1, 1},
                                                {"3 x 3, odd channels", {1, 19, 10, 10}, 37, 3, 1, 1},
                                                {"grouped", {1, 64, 10, 10}, 64, 3, 1, 2},
                                                {"depthwise", {1, 32, 28, 28}, 32, 3, 1, 32, true},
                                                {"depthwise, a remainder", {1, 16, 9, 17}, 16, 3, 1, 16, true},
                                                {"depthwise, strided", {1, 96, 15, 15}, 96, 3, 2, 96, true},
                                                {"depthwise, even and strided", {1, 16, 30, 28}, 16, 3, 2, 16, true},
                                                {"depthwise 5 x 5", {1, 48, 14, 14}, 48, 5, 1, 48, true},
                                                {"depthwise 5 x 5, strided", {1, 16, 20, 29}, 16, 5, 2, 16, true},
                                                {"depthwise, odd channels", {1, 24, 10, 10}, 24, 3, 1, 24, true},
                                                {"depthwise, small", {1, 19, 3, 2}, 19, 5, 1, 19, true},
                                                {"first layer, three channels", {1, 3, 32, 32}, 32, 3, 2, 1}}));
  const ConvolutionShape shape = shape_of(c);
  Ints extents{c.outputs, c.input[1] / c.groups};
  for (std::size_t i = 2; i < c.input.size(); ++i) extents.push_back(c.kernel);
  const Shape weights_shape(extents);
  Tensor weights(weights_shape, random_floats(static_cast<std::size_t>(weights_shape.elements()), 3));
  std::fill_n(weights.values.begin(), weights_shape.elements_from(1), 0.0f);  // of the first channel
  const Tensor bias(Shape{c.outputs}, [&] {
    std::vector<float> values = random_floats(static_cast<std::size_t>(c.outputs), 4);
    values[0] = 0;
    return values;
  }());
  const std::int64_t block = channel_block();
  const bool with_bias = GENERATE(false, true);
  const CompiledConvolution plain =
      compile_convolution(shape, weights, with_bias ? &bias : nullptr, block, c.input[1] <= 3);
  const Layout from = layout_of(shape.src, plain.plain_source ? 1 : block), to = layout_of(shape.dst, block);
  const auto floats = static_cast<std::size_t>(to.floats());
  const AlignedVector<float> x = activation(from, 1), added = activation(to, 2);
  const std::vector<Affine> affines{affine(to)};
  const AlignedVector<float> between = run(*plain.kernel, {x.data()}, affines, floats);

  const Prefetch next{added, false};
  for (const SetIndex set : {SetIndex(0), SetIndex()})
    for (const bool residual : {false, true})
      for (const int activation : {0, 1, 2, 3}) {
        NormaliseTerms terms;
        terms.set[residual ? 1 : 0] = set;
        terms.terms = residual ? 2 : 1;
        terms.relu = activation == 1;
        if (activation == 3) terms.activation = Activation{Unary::swish};
        if (activation == 2) terms.activation = Activation{Unary::clip, 0.0f, 0.75f};
        CAPTURE(c.name, instruction_set(), with_bias, set.exists(), residual, activation);
        const std::unique_ptr<Kernel> fused = plain.kernel->with_epilogue(epilogue_of(terms, residual ? 1 : 0));
        if (c.fuses) REQUIRE(fused);
        if (!fused) continue;
        const std::vector<const float*> src =
            residual ? std::vector{added.data(), between.data()} : std::vector{between.data()};
        const AlignedVector<float> expected = run(*compile_normalise(terms, to), src, affines, floats),
                                   found = run(*fused, {x.data(), added.data()}, affines, floats, next);
        CHECK(different(to, expected, found).empty());
      }
}

TEST_CASE("A convolution with a prologue has the bits of normalisation and convolution", "[exec][isa]") {
  limit_once();
  const auto c = GENERATE(values<EpilogueCase>({{"to half a block", {1, 32, 12, 12}, 8, 1, 1, 1},
                                                {"to one block", {1, 32, 40, 41}, 16, 1, 1, 1},
                                                {"to one block and a half", {1, 144, 14, 17}, 24, 1, 1, 1},
                                                {"to two blocks", {1, 192, 28, 28}, 32, 1, 1, 1},
                                                {"to four blocks", {1, 384, 14, 14}, 64, 1, 1, 1},
                                                {"to five blocks", {1, 200, 16, 8}, 80, 1, 1, 1},
                                                {"to six blocks", {1, 576, 14, 14}, 96, 1, 1, 1},
                                                {"odd channels", {1, 75, 131}, 37, 1, 1, 1},
                                                {"depthwise", {1, 40, 28, 28}, 40, 3, 1, 40},
                                                {"depthwise, strided", {1, 32, 28, 27}, 32, 3, 2, 32},
                                                {"depthwise 5 x 5", {1, 19, 17, 16}, 19, 5, 1, 19}}));
  const ConvolutionShape shape = shape_of(c);
  const std::int64_t block = channel_block();
  Ints extents{c.outputs, c.input[1] / c.groups};
  extents.resize(c.input.size(), c.kernel);
  const Shape weights_shape(extents);
  const Tensor weights(weights_shape, random_floats(static_cast<std::size_t>(weights_shape.elements()), 3)),
      bias(Shape{c.outputs}, random_floats(static_cast<std::size_t>(c.outputs), 4));
  const CompiledConvolution plain = compile_convolution(shape, weights, &bias, block, false);
  const Layout from = layout_of(shape.src, block), to = layout_of(shape.dst, block);
  const AlignedVector<float> x = activation(from, 1), next = activation(from, 2);
  const auto floats = static_cast<std::size_t>(to.floats());
  std::vector<Affine> affines{affine(from)};
  affines[0].scale[1] = 0.5f;  // not a number would reach every output
  for (const int activation : {0, 1, 2, 3}) {
    NormaliseTerms terms;
    terms.set[0] = SetIndex(0);
    terms.relu = activation == 1;
    if (activation == 2) terms.activation = Activation{Unary::clip, 0.0f, 0.75f};
    if (activation == 3) terms.activation = Activation{Unary::swish};
    CAPTURE(c.name, instruction_set(), activation);
    const std::unique_ptr<Kernel> fused = plain.kernel->with_prologue({SetIndex(0), terms.relu, terms.activation});
    REQUIRE(fused);
    const AlignedVector<float> between = run(*compile_normalise(terms, from), {x.data()}, affines, x.size()),
                               expected = run(*plain.kernel, {between.data()}, affines, floats);
    // What is prefetched changes nothing, whichever image it is of.
    for (const Prefetch& prefetch : {Prefetch{}, Prefetch{next, true}, Prefetch{next, false}})
      CHECK(different(to, expected, run(*fused, {x.data()}, affines, floats, prefetch)).empty());
    if (!fused->in_place(0)) continue;
    AlignedVector<float> both = x;
    AlignedVector<std::byte> scratch(fused->scratch_bytes());
    const std::vector<const float*> src{both.data()};
    fused->run({src, both.data(), affines, scratch.data(), nullptr, {}});
    CHECK(different(to, expected, both).empty());
  }
}

TEST_CASE("Where prefetching does not pay, a convolution reads its source as it is", "[exec]") {
  const auto c = GENERATE(values<EpilogueCase>({{"many outputs", {1, 384, 14, 14}, 112, 1, 1, 1},
                                                {"as many as inputs", {1, 64, 14, 14}, 64, 1, 1, 1},
                                                {"few pixels", {1, 960, 7, 7}, 96, 1, 1, 1},
                                                {"3 x 3", {1, 64, 14, 14}, 16, 3, 1, 1},
                                                {"depthwise, few pixels", {1, 960, 7, 7}, 960, 3, 1, 960},
                                                {"depthwise, large", {1, 32, 56, 56}, 32, 3, 1, 32},
                                                {"strided", {1, 64, 28, 28}, 16, 1, 2, 1}}));
  const Shape weights_shape{c.outputs, c.input[1] / c.groups, c.kernel, c.kernel};
  const Tensor weights(weights_shape, random_floats(static_cast<std::size_t>(weights_shape.elements()), 3));
  CAPTURE(c.name);
  const CompiledConvolution plain = compile_convolution(shape_of(c), weights, nullptr, channel_block(), false);
  CHECK_FALSE(plain.kernel->with_prologue({SetIndex(0), true, {}}));
}

TEST_CASE("A convolution takes in the factors of its inputs", "[exec][isa]") {
  limit_once();
  // Oracle: the product and the convolution one after the other. Each product of three is rounded twice in both, in
  // another order: at most 2 * 2^-24 of it, and sums of as many terms are rounded as often.
  const auto c = GENERATE(values<EpilogueCase>({{"few inputs", {1, 32, 28, 9}, 16, 1, 1, 1},
                                                {"one block and a half", {1, 96, 14, 14}, 24, 1, 1, 1},
                                                {"an odd number", {1, 37, 11, 13}, 40, 1, 1, 1}}));
  const ConvolutionShape shape = shape_of(c);
  const std::int64_t block = channel_block();
  const Shape weights_shape{c.outputs, c.input[1], 1, 1};
  const Tensor weights(weights_shape, random_floats(static_cast<std::size_t>(weights_shape.elements()), 3)),
      bias(Shape{c.outputs}, random_floats(static_cast<std::size_t>(c.outputs), 4));
  const CompiledConvolution plain = compile_convolution(shape, weights, &bias, block, false);
  const std::unique_ptr<Kernel> gated = plain.kernel->with_gate();
  if (!gated) return;  // where blocks are no longer half empty, another kernel serves
  const Layout from = layout_of(shape.src, block), to = layout_of(shape.dst, block);
  const AlignedVector<float> x = activation(from, 1), added = activation(to, 2),
                             gate = activation({from.channels, 1, block}, 5);
  AlignedVector<float> product = x;
  for (std::int64_t channel = 0; channel < from.channels; ++channel)
    for (std::int64_t p = 0; p < from.pixels; ++p)
      product[static_cast<std::size_t>(from.at(channel, p))] *= gate[static_cast<std::size_t>(channel)];
  const auto floats = static_cast<std::size_t>(to.floats());
  for (const bool residual : {false, true}) {
    const Epilogue epilogue{{}, residual, 0.0f, {}, {}};
    const std::unique_ptr<Kernel> after = gated->with_epilogue(epilogue), apart = plain.kernel->with_epilogue(epilogue);
    REQUIRE(after);
    std::vector<const float*> three{x.data(), gate.data()}, two{product.data()};
    if (residual) {
      three.push_back(added.data());
      two.push_back(added.data());
    }
    const AlignedVector<float> expected = run(*apart, two, {}, floats), found = run(*after, three, {}, floats);
    double worst = 0;
    for (std::int64_t channel = 0; channel < to.channels; ++channel)
      for (std::int64_t p = 0; p < to.pixels; ++p) {
        const auto i = static_cast<std::size_t>(to.at(channel, p));
        worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - static_cast<double>(found[i])));
      }
    CAPTURE(c.name, residual, instruction_set());
    const auto terms = static_cast<double>(from.channels + 2);  // none larger than 1
    CHECK(worst <= 2 * terms * terms * 0x1p-24);
    CHECK(worst > 0);  // it is not the product's own kernel
  }
}
