#include <fmt/format.h>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/imaging/shift.hpp"

namespace shiftnorm::imaging {
namespace {

class ShiftedDataset final : public Dataset {
 public:
  ShiftedDataset(std::unique_ptr<Dataset> inner, std::vector<Shift> shifts, std::uint64_t seed)
      : inner_(std::move(inner)), shifts_(std::move(shifts)), seed_(seed) {}

  [[nodiscard]] const std::vector<Sample>& samples() const override { return inner_->samples(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return inner_->classes(); }
  [[nodiscard]] std::int64_t skipped() const override { return inner_->skipped(); }
  [[nodiscard]] bool images() const override { return true; }
  [[nodiscard]] Reader reader() const override { return inner_->reader(); }
  [[nodiscard]] const std::vector<Bad>& bad() const override { return inner_->bad(); }
  [[nodiscard]] const std::vector<Bad>& skipped_files() const override { return inner_->skipped_files(); }
  [[nodiscard]] std::vector<std::string> notes(const Pipeline& pipeline) const override {
    return inner_->notes(pipeline);
  }
  [[nodiscard]] Image decode(std::size_t index) const override {
    Image image = inner_->decode(index);
    for (const Shift& shift : shifts_) image = apply_shift(shift, image, seed_, inner_->path(index));
    return image;
  }
  [[nodiscard]] Tensor array(std::size_t index) const override { return inner_->array(index); }
  [[nodiscard]] bool integers() const override { return inner_->integers(); }
  [[nodiscard]] std::string digest(std::size_t index) const override { return inner_->digest(index); }
  [[nodiscard]] std::string content(std::size_t index) const override { return inner_->content(index); }
  [[nodiscard]] std::string path(std::size_t index) const override { return inner_->path(index); }
  [[nodiscard]] std::vector<Place> other_places() const override { return inner_->other_places(); }
  [[nodiscard]] const LabelCounts* label_counts() const override { return inner_->label_counts(); }
  [[nodiscard]] std::vector<std::string> selection_notes() const override { return inner_->selection_notes(); }
  /// Of the data and of what is done to them.
  [[nodiscard]] std::string fingerprint(std::vector<std::size_t> samples) const override {
    std::string text = inner_->fingerprint(std::move(samples));
    for (const Shift& shift : shifts_) text += fmt::format(" {}:{}", shift.name, shift.severity);
    return sha256_hex(fmt::format("{} seed {}", text, seed_));
  }

 private:
  std::unique_ptr<Dataset> inner_;
  std::vector<Shift> shifts_;
  std::uint64_t seed_;
};

}  // namespace

std::unique_ptr<Dataset> shifted(std::unique_ptr<Dataset> dataset, std::vector<Shift> shifts, std::uint64_t seed) {
  for (const Shift& shift : shifts) check_shift(shift);
  if (shifts.empty()) return dataset;
  if (!dataset->images()) throw ConfigError("shift: the data are float arrays; expected images");
  if (dataset->reader() == Reader::dicom)
    throw ConfigError(
        "shift: the data are DICOM objects, whose grey values depend on the preprocessing; expected images");
  return std::make_unique<ShiftedDataset>(std::move(dataset), std::move(shifts), seed);
}

}  // namespace shiftnorm::imaging
