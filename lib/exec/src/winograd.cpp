#include "winograd.hpp"

#include <algorithm>
#include <array>

#include "prefetch.hpp"
#include "winograd_kernels.hpp"

namespace shiftnorm::exec {
namespace {

/// What a second level cache is sure to hold: transformed tiles and their products stay in it between the three passes.
constexpr std::size_t kTileBytes = std::size_t{512} << 10;
/// Weights up to this size stay near; others are read anew for every image, about four bytes in the time of a
/// multiplication of two vectors.
constexpr double kNearWeights = 1 << 20, kFarBytes = 4;
/// Where less is gained, direct convolution's rounding is worth more.
constexpr double kGain = 0.8;
/// Sums of few channels lose most beside direct convolution. In networks for large images they are the first layers,
/// whose rounding all others amplify, and little of the work; in those for small images they are most of it.
constexpr std::int64_t kManyChannels = 64, kSmallImage = std::int64_t{32} * 32;

WinogradShape winograd_shape(const ConvolutionShape& s, std::int64_t block) {
  const auto blocks = [block](std::int64_t channels) {
    return static_cast<std::size_t>((channels + block - 1) / block);
  };
  const auto extent = [](std::int64_t e) { return static_cast<std::size_t>(e); };
  return {static_cast<std::size_t>(block),
          blocks(s.src[1]),
          blocks(s.dst[1]),
          extent(s.src[2]),
          extent(s.src[3]),
          extent(s.dst[2]),
          extent(s.dst[3]),
          extent(s.window.pads_begin[0]),
          extent(s.window.pads_begin[1])};
}

/// Multiplications of two vectors.
double products(const WinogradShape& s) {
  return static_cast<double>(kWinogradProducts * s.tiles() * s.in_blocks * s.out_blocks * s.block);
}

double weight_bytes(const WinogradShape& s) {
  return static_cast<double>(kWinogradProducts * s.in_blocks * s.out_blocks * s.block * s.block * sizeof(float));
}

/// G: what the three weights of a column or a row are worth at the six points, in the order of the kernels.
constexpr std::array<std::array<double, 3>, kWinogradReach> evaluation() {
  const double a = kWinogradNear, b = kWinogradFar;
  const std::array<double, 5> points{0, a, -a, b, -b};
  std::array<std::array<double, 3>, kWinogradReach> g{};
  for (std::size_t j = 0; j < points.size(); ++j) {
    double norm = 1;
    for (std::size_t k = 0; k < points.size(); ++k)
      if (k != j) norm *= points[j] - points[k];
    g[j] = {1 / norm, points[j] / norm, points[j] * points[j] / norm};
  }
  g[5] = {0, 0, 1};
  return g;
}

/// Weights at the six by six points, and a bias in whole blocks: the same for every form of a convolution.
struct Constants {
  AlignedVector<float> weights, bias;
};

/// G g G^T of every pair of channels, rounded once.
AlignedVector<float> transform(const WinogradShape& shape, const Tensor& weights) {
  constexpr auto kG = evaluation();
  const std::size_t block = shape.block, inputs = shape.in_blocks * block;
  const auto rows = static_cast<std::size_t>(weights.shape[0]), columns = static_cast<std::size_t>(weights.shape[1]);
  AlignedVector<float> out(static_cast<std::size_t>(weight_bytes(shape)) / sizeof(float), 0.0f);
  for (std::size_t o = 0; o < rows; ++o) {
    for (std::size_t c = 0; c < columns; ++c) {
      const float* w = weights.values.data() + (o * columns + c) * 9;
      for (std::size_t i = 0; i < kWinogradReach; ++i) {
        std::array<double, 3> row{};
        for (std::size_t k = 0; k < 3; ++k)
          row[k] = kG[i][0] * static_cast<double>(w[k]) + kG[i][1] * static_cast<double>(w[3 + k]) +
                   kG[i][2] * static_cast<double>(w[6 + k]);
        for (std::size_t j = 0; j < kWinogradReach; ++j) {
          const double value = kG[j][0] * row[0] + kG[j][1] * row[1] + kG[j][2] * row[2];
          const std::size_t plane = (i * kWinogradReach + j) * shape.out_blocks + o / block;
          out[(plane * inputs + c) * block + o % block] = static_cast<float>(value);
        }
      }
    }
  }
  return out;
}

class Winograd final : public Kernel {
 public:
  Winograd(const WinogradShape& shape, std::shared_ptr<const Constants> constants, const Epilogue& epilogue)
      : shape_(shape), constants_(std::move(constants)), epilogue_(epilogue) {
    const std::size_t channels = shape.in_blocks + shape.out_blocks;
    const std::size_t bytes_per_tile = kWinogradProducts * channels * shape.block * sizeof(float);
    chunk_ =
        std::clamp<std::size_t>(kTileBytes / bytes_per_tile, std::min<std::size_t>(16, shape.tiles()), shape.tiles());
  }

  void run(const KernelArguments& a) const override {
    auto* transformed = reinterpret_cast<float*>(a.scratch);
    float* products = transformed + transformed_floats();
    const WinogradEnd end{constants_->bias.empty() ? nullptr : constants_->bias.data(), epilogue_, a.affines,
                          epilogue_.residual ? a.src[1] : nullptr};
    for (std::size_t first = 0; first < shape_.tiles(); first += chunk_) {
      const WinogradTiles tiles{first, std::min(chunk_, shape_.tiles() - first)};
      winograd_input(shape_, tiles, a.src[0], transformed);
      winograd_products(shape_, tiles, transformed, constants_->weights.data(), share(a.prefetch, tiles), products);
      winograd_output(shape_, tiles, products, end, a.dst);
    }
  }

  std::size_t scratch_bytes() const override {
    return (transformed_floats() + kWinogradProducts * shape_.plane(shape_.out_blocks, chunk_)) * sizeof(float);
  }

  /// A residual is read where the result is about to be written.
  bool in_place(std::size_t index) const override { return epilogue_.residual && index == 1; }

  /// Transforming takes about a third of the time that the products take.
  double operations() const override { return 2.7 * products(shape_) * static_cast<double>(shape_.block); }

  std::unique_ptr<Kernel> with_epilogue(const Epilogue& epilogue) const override {
    if (epilogue.activation) return nullptr;  // a pass of its own over what is written costs no more
    return std::make_unique<Winograd>(shape_, constants_, epilogue);
  }

 private:
  /// Of what is prefetched while the image is computed.
  [[nodiscard]] std::span<const float> share(const Prefetch& prefetch, const WinogradTiles& tiles) const {
    if (prefetch.read.size() > kPrefetchFloats) return {};
    const auto at = [&](std::size_t tile) { return prefetch.read.size() * tile / shape_.tiles(); };
    return prefetch.read.subspan(at(tiles.first), at(tiles.first + tiles.count) - at(tiles.first));
  }

  [[nodiscard]] std::size_t transformed_floats() const {
    return kWinogradProducts * shape_.plane(shape_.in_blocks, chunk_);
  }

  WinogradShape shape_;
  std::shared_ptr<const Constants> constants_;
  Epilogue epilogue_;
  std::size_t chunk_ = 1;
};

}  // namespace

bool winograd_pays(const ConvolutionShape& s, std::int64_t block) {
  const auto all = [](const std::vector<std::int64_t>& values, std::int64_t wanted) {
    return std::all_of(values.begin(), values.end(), [wanted](std::int64_t v) { return v == wanted; });
  };
  if (s.src.rank() != 4 || s.groups != 1 || s.src[1] < block || s.dst[1] < block) return false;
  if (!all(s.window.kernel, 3) || !all(s.window.strides, 1) || !all(s.window.dilations, 1)) return false;
  if (s.src[1] < kManyChannels && s.dst.elements_from(2) > kSmallImage) return false;
  const WinogradShape shape = winograd_shape(s, block);
  const double direct = 9.0 * static_cast<double>(shape.out_height * shape.out_width) *
                        static_cast<double>(shape.in_blocks * shape.out_blocks * shape.block);
  const double far = weight_bytes(shape) > kNearWeights ? weight_bytes(shape) / kFarBytes : 0.0;
  return products(shape) + far < kGain * direct;
}

std::unique_ptr<Kernel> compile_winograd(const ConvolutionShape& shape, const Tensor& weights, const Tensor* bias,
                                         std::int64_t block) {
  const WinogradShape s = winograd_shape(shape, block);
  auto constants = std::make_shared<Constants>();
  constants->weights = transform(s, weights);
  if (bias != nullptr) {
    constants->bias.assign(s.out_blocks * s.block, 0.0f);
    std::copy(bias->values.begin(), bias->values.end(), constants->bias.begin());
  }
  return std::make_unique<Winograd>(s, std::move(constants), Epilogue{});
}

}  // namespace shiftnorm::exec
