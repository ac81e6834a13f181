#include "shiftnorm/imaging/kept_images.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace shiftnorm::imaging {
namespace {

/// An image as narrow as its values are.
struct Narrow {
  Image shape;  ///< without values
  std::vector<std::uint8_t> bytes;
};

}  // namespace

struct KeptImages::State {
  State(std::unique_ptr<Dataset> of, std::uint64_t most)
      : dataset(std::move(of)), kept(dataset->samples().size()), left(static_cast<std::int64_t>(most)) {}

  [[nodiscard]] Image decode(std::size_t index) {
    {
      const std::lock_guard lock(mutex);
      if (const std::optional<Narrow>& have = kept[index]) {
        Image image = have->shape;
        image.pixels.assign(have->bytes.begin(), have->bytes.end());
        return image;
      }
    }
    Image image = dataset->decode(index);
    if (image.bits == 8 && !image.frame) keep(index, image);
    return image;
  }

  void keep(std::size_t index, const Image& image) {
    const auto bytes = static_cast<std::int64_t>(image.pixels.size());
    if (left.fetch_sub(bytes) < bytes) {
      left.fetch_add(bytes);
      return;
    }
    Narrow narrow;
    narrow.shape = Image{image.height, image.width, image.channels, image.bits};
    narrow.bytes.resize(image.pixels.size());
    std::ranges::transform(image.pixels, narrow.bytes.begin(),
                           [](std::uint16_t value) { return static_cast<std::uint8_t>(value); });
    const std::lock_guard lock(mutex);
    kept[index] = std::move(narrow);
  }

  std::unique_ptr<Dataset> dataset;
  std::mutex mutex;
  std::vector<std::optional<Narrow>> kept;
  std::atomic<std::int64_t> left;
};

namespace {

class View final : public Dataset {
 public:
  using Decode = std::function<Image(std::size_t)>;
  View(std::shared_ptr<const Dataset> dataset, Decode decode)
      : dataset_(std::move(dataset)), decode_(std::move(decode)) {}

  [[nodiscard]] const std::vector<Sample>& samples() const override { return dataset_->samples(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return dataset_->classes(); }
  [[nodiscard]] std::int64_t skipped() const override { return dataset_->skipped(); }
  [[nodiscard]] bool images() const override { return dataset_->images(); }
  [[nodiscard]] bool integers() const override { return dataset_->integers(); }
  [[nodiscard]] Image decode(std::size_t index) const override { return decode_(index); }
  [[nodiscard]] Tensor array(std::size_t index) const override { return dataset_->array(index); }
  [[nodiscard]] Reader reader() const override { return dataset_->reader(); }
  [[nodiscard]] const std::vector<Bad>& bad() const override { return dataset_->bad(); }
  [[nodiscard]] const std::vector<Bad>& skipped_files() const override { return dataset_->skipped_files(); }
  [[nodiscard]] std::vector<std::string> notes(const Pipeline& pipeline) const override {
    return dataset_->notes(pipeline);
  }
  [[nodiscard]] std::optional<PixelAudit> audit(std::size_t index) const override { return dataset_->audit(index); }
  [[nodiscard]] std::string digest(std::size_t index) const override { return dataset_->digest(index); }
  [[nodiscard]] std::string content(std::size_t index) const override { return dataset_->content(index); }
  [[nodiscard]] std::string path(std::size_t index) const override { return dataset_->path(index); }
  [[nodiscard]] std::vector<Place> other_places() const override { return dataset_->other_places(); }
  [[nodiscard]] const LabelCounts* label_counts() const override { return dataset_->label_counts(); }
  [[nodiscard]] std::vector<std::string> selection_notes() const override { return dataset_->selection_notes(); }
  [[nodiscard]] std::string fingerprint(std::vector<std::size_t> samples) const override {
    return dataset_->fingerprint(std::move(samples));
  }

 private:
  std::shared_ptr<const Dataset> dataset_;
  Decode decode_;
};

}  // namespace

KeptImages::KeptImages(std::unique_ptr<Dataset> dataset, std::uint64_t bytes)
    : state_(std::make_shared<State>(std::move(dataset), bytes)) {}

std::unique_ptr<Dataset> KeptImages::view() const {
  return std::make_unique<View>(std::shared_ptr<const Dataset>(state_, state_->dataset.get()),
                                [state = state_](std::size_t index) { return state->decode(index); });
}

}  // namespace shiftnorm::imaging
