#include "shiftnorm/imaging/sample_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>

#include "dicom/fault.hpp"
#include "float_steps.hpp"
#include "reasons.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parallel.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::size_t kShownReasons = 4;

/// One image after the image steps, as narrow as its values are; all empty: not kept, decoded again when asked for.
struct Kept {
  std::vector<std::uint8_t> narrow;
  std::vector<std::uint16_t> wide;
  std::vector<float> reals;
};

Shape shape_of(const Image& image) { return {image.channels, image.height, image.width}; }

/// Counts what is done and reports at most a thousand times.
class LoadProgress {
 public:
  LoadProgress(const Progress& progress, std::size_t total)
      : progress_(progress),
        total_(static_cast<std::int64_t>(total)),
        step_(std::max<std::int64_t>(1, total_ / 1000)) {}
  void one_more() {
    const std::lock_guard lock(mutex_);
    if (++done_ % step_ == 0 || done_ == total_) progress_.tell("load", done_, total_);
  }

 private:
  const Progress& progress_;
  std::int64_t total_, step_, done_ = 0;
  std::mutex mutex_;
};

}  // namespace

struct SampleStore::State {
  std::shared_ptr<const Dataset> dataset;
  Pipeline pipeline;
  Shape shape;
  bool shape_is_the_networks = false;  ///< rather than the first sample's
  std::uint64_t memory = 0;
  std::atomic<std::uint64_t> used{0};
  std::vector<Kept> kept;                   ///< by data set index
  std::vector<std::optional<Bad>> reasons;  ///< by data set index: why a sample is bad
  std::vector<char> misfits;                ///< flags, by data set index: bad because of its shape alone
  std::vector<std::size_t> usable;          ///< data set indices
  std::vector<Bad> bad;

  [[nodiscard]] Image decoded(std::size_t index) const {
    return apply_image_steps(pipeline, dataset->decode(index), shape[0]);
  }
  [[nodiscard]] Tensor array(std::size_t index) const;
  void fix_shape(const Shape& input);
  void check_normalize() const;
  void check_fit(const Shape& found) const;
  void set_reason(std::size_t index, const Error& error);
  void keep(std::size_t index, const Image& image);
  void take(std::size_t index);
  void conclude();
  void load(std::size_t index, std::span<float> dst) const;
};

namespace {

void check_input(const Shape& input, bool images) {
  if (!images) return;
  if (input.rank() != 3)
    throw ShapeError(fmt::format("the network takes {}; expected [C, H, W], as images have", input.text()));
  if (input[0] != 0 && input[0] != 1 && input[0] != 3)
    throw ShapeError(fmt::format("the network takes {} channels; expected 1 or 3, as images have", input[0]));
}

/// Whole numbers of any rank have no geometry, and no largest value that would map to 1.
void check_numbers(const Pipeline& pipeline, bool integers) {
  if (!integers && !pipeline.steps.empty())
    throw ConfigError("floating-point arrays enter the network as they are; expected no preprocessing");
  for (const Step& step : pipeline.steps) {
    const auto* to_float = std::get_if<ToFloat>(&step);
    if (to_float != nullptr ? !to_float->scale : !std::holds_alternative<Normalize>(step))
      throw ConfigError(
          "preprocess: the arrays hold whole numbers, not images of 1, 3 or 4 channels; expected to_float with a "
          "scale, and normalize, alone");
  }
}

/// `input` with its zeros taken from `found`; nothing if the other extents differ. [H, W] also fits [1, H, W].
std::optional<Shape> merged(const Shape& input, const Shape& found) {
  if (input.rank() == found.rank() + 1 && input[0] <= 1) {
    std::vector<std::int64_t> extents{1};
    extents.insert(extents.end(), found.extents().begin(), found.extents().end());
    return merged(input, Shape(std::move(extents)));
  }
  if (input.rank() != found.rank()) return std::nullopt;
  std::vector<std::int64_t> extents = input.extents();
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    if (extents[axis] == 0) extents[axis] = found[axis];
    if (extents[axis] != found[axis]) return std::nullopt;
  }
  return Shape(std::move(extents));
}

}  // namespace

Tensor SampleStore::State::array(std::size_t index) const {
  Tensor tensor = dataset->array(index);
  const auto odd = std::ranges::find_if(tensor.values, [](float v) { return !std::isfinite(v); });
  if (odd != tensor.values.end())
    throw FormatError(fmt::format("value {} is {}; expected finite numbers", odd - tensor.values.begin(), *odd));
  if (!pipeline.steps.empty()) float_steps(pipeline, tensor);
  return tensor;
}

/// Fills the zeros of `input` from the first sample that can be read and fits.
void SampleStore::State::fix_shape(const Shape& input) {
  shape = input;
  shape_is_the_networks = std::ranges::find(input.extents(), 0) == input.extents().end();
  if (shape_is_the_networks) return;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    try {
      const Shape found = dataset->images() ? shape_of(decoded(i)) : array(i).shape;
      const std::optional<Shape> full = merged(input, found);
      if (!full)
        throw ShapeError(fmt::format("samples have shape {}; the network takes {}", found.text(), input.text()));
      shape = *full;
      return;
    } catch (const ShapeError& e) {
      set_reason(i, e);
      misfits[i] = 1;
    } catch (const ConfigError&) {
      throw;  // the preprocessing, not the sample
    } catch (const Error& e) {
      set_reason(i, e);
    }
  }
}

void SampleStore::State::check_normalize() const {
  for (const Step& step : pipeline.steps)
    if (const auto* n = std::get_if<Normalize>(&step))
      if (const auto means = static_cast<std::int64_t>(n->mean.size()); means != 1 && means != shape[0])
        throw ConfigError(
            fmt::format("preprocess: normalize has {} means; expected 1 or {}, one for each channel", means, shape[0]));
}

void SampleStore::State::check_fit(const Shape& found) const {
  if (merged(shape, found)) return;
  const std::string_view who = shape_is_the_networks ? "the network takes" : "the first image is";
  if (!dataset->images()) throw ShapeError(fmt::format("has shape {}; {} {}", found.text(), who, shape.text()));
  throw ShapeError(
      fmt::format("is {} x {} after preprocessing; {} {} x {}", found[1], found[2], who, shape[1], shape[2]));
}

void SampleStore::State::keep(std::size_t index, const Image& image) {
  const std::uint64_t bytes =
      image.bits == 0 ? image.reals.size() * sizeof(float) : image.pixels.size() * (image.bits == 8 ? 1 : 2);
  if (used.fetch_add(bytes) + bytes > memory) {
    used.fetch_sub(bytes);
    return;
  }
  if (image.bits == 0) {
    kept[index].reals = image.reals;
    return;
  }
  if (image.bits != 8) {
    kept[index].wide.assign(image.pixels.begin(), image.pixels.end());
    return;
  }
  std::vector<std::uint8_t>& narrow = kept[index].narrow;
  narrow.resize(image.pixels.size());
  std::ranges::transform(image.pixels, narrow.begin(), [](std::uint16_t v) { return static_cast<std::uint8_t>(v); });
}

void SampleStore::State::set_reason(std::size_t index, const Error& error) {
  Bad& reason = reasons[index].emplace(Bad{dataset->samples()[index].id, error.what()});
  if (const auto* fault = dynamic_cast<const dicom::Fault*>(&error)) {
    reason.kind = dicom::name_of(fault->reason());
    reason.offset = fault->offset();
  }
}

/// Decodes and checks one sample; what is wrong with it becomes its reason.
void SampleStore::State::take(std::size_t index) {
  if (reasons[index]) return;
  try {
    if (!dataset->images()) return check_fit(array(index).shape);
    const Image image = decoded(index);
    check_fit(shape_of(image));
    keep(index, image);
  } catch (const ShapeError& e) {
    set_reason(index, e);
    misfits[index] = 1;
  } catch (const ConfigError&) {
    throw;  // the preprocessing, not the sample
  } catch (const Error& e) {
    set_reason(index, e);
  }
}

void SampleStore::State::conclude() {
  const std::vector<Sample>& samples = dataset->samples();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (reasons[i])
      bad.push_back(*reasons[i]);
    else
      usable.push_back(i);
  }
  bad.insert(bad.end(), dataset->bad().begin(), dataset->bad().end());
  if (!usable.empty()) return;
  if (samples.empty()) throw FormatError("the data set has no sample");
  const auto misfit = std::ranges::find(misfits, 1);
  const std::size_t shown = misfit == misfits.end() ? 0 : static_cast<std::size_t>(misfit - misfits.begin());
  std::string text =
      fmt::format("none of {} samples is usable: {}: {}", samples.size(), bad[shown].id, bad[shown].reason);
  const auto alike = [&](const Bad& one) { return one.reason == bad[shown].reason; };
  if (bad.size() > 1)
    text += std::ranges::all_of(bad, alike)
                ? fmt::format("; all {} for this reason", bad.size())
                : fmt::format("; {} are bad ({})", bad.size(), counted_reasons(bad, kShownReasons));
  if (misfit != misfits.end()) throw ShapeError(text);
  throw FormatError(text);
}

void SampleStore::State::load(std::size_t index, std::span<float> dst) const {
  if (!dataset->images()) {
    const Tensor tensor = array(index);
    check_fit(tensor.shape);
    std::ranges::copy(tensor.values, dst.begin());
    return;
  }
  const std::int64_t channels = shape[0];
  const Kept& have = kept[index];
  if (!have.narrow.empty()) return float_steps(pipeline, Pixels<std::uint8_t>{have.narrow, channels, 8}, dst);
  if (!have.wide.empty()) return float_steps(pipeline, Pixels<std::uint16_t>{have.wide, channels, 16}, dst);
  if (!have.reals.empty()) return float_steps(pipeline, Pixels<float>{have.reals, channels, 0}, dst);
  const Image image = decoded(index);
  check_fit(shape_of(image));
  apply_float_steps(pipeline, image, dst);
}

SampleStore::SampleStore(std::shared_ptr<const Dataset> dataset, Pipeline pipeline, Shape input,
                         const StoreOptions& options, const Progress& progress)
    : state_(std::make_unique<State>()) {
  if (options.threads < 1) throw ConfigError(fmt::format("threads = {}; expected at least 1", options.threads));
  if (const std::vector<std::string> wrong = problems(pipeline); !wrong.empty())
    throw ConfigError(fmt::format("preprocess: {}", join(wrong)));
  if (!dataset->images()) check_numbers(pipeline, dataset->integers());
  check_input(input, dataset->images());
  State& s = *state_;
  s.dataset = std::move(dataset);
  s.pipeline = std::move(pipeline);
  s.memory = options.memory;
  const std::size_t n = s.dataset->samples().size();
  s.kept.resize(n);
  s.reasons.resize(n);
  s.misfits.resize(n);
  s.fix_shape(input);
  if (s.shape.rank() > 0 && s.shape[0] != 0) s.check_normalize();
  LoadProgress done(progress, n);
  for_each_parallel(n, options.threads, [&](std::size_t i) {
    progress.check();
    s.take(i);
    done.one_more();
  });
  s.conclude();
}

SampleStore::~SampleStore() = default;

std::size_t SampleStore::size() const noexcept { return state_->usable.size(); }
const Sample& SampleStore::sample(std::size_t index) const {
  return state_->dataset->samples().at(state_->usable.at(index));
}
std::size_t SampleStore::listed(std::size_t index) const { return state_->usable.at(index); }
const std::vector<Bad>& SampleStore::bad() const noexcept { return state_->bad; }
const Shape& SampleStore::shape() const noexcept { return state_->shape; }

void SampleStore::load(std::size_t index, std::span<float> dst) const {
  if (static_cast<std::int64_t>(dst.size()) != state_->shape.elements())
    throw ShapeError(fmt::format("sample {} into {} floats; expected {}", state_->shape.text(), dst.size(),
                                 state_->shape.elements()));
  try {
    state_->load(state_->usable.at(index), dst);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& e) {
    throw FormatError(fmt::format("{}: {}", sample(index).id, e.what()));
  }
}

}  // namespace shiftnorm::imaging
