#include "shiftnorm/imaging/kept_images.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "forwarding_dataset.hpp"

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

class View final : public ForwardingDataset {
 public:
  using Decode = std::function<Image(std::size_t)>;
  View(std::shared_ptr<const Dataset> dataset, Decode decode)
      : ForwardingDataset(std::move(dataset)), decode_(std::move(decode)) {}

  [[nodiscard]] Image decode(std::size_t index) const override { return decode_(index); }

 private:
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
