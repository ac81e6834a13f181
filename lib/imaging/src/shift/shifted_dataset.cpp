#include <fmt/format.h>

#include "forwarding_dataset.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/imaging/shift.hpp"

namespace shiftnorm::imaging {
namespace {

class ShiftedDataset final : public ForwardingDataset {
 public:
  ShiftedDataset(std::unique_ptr<Dataset> inner, std::vector<Shift> shifts, std::uint64_t seed)
      : ForwardingDataset(std::move(inner)), shifts_(std::move(shifts)), seed_(seed) {}

  [[nodiscard]] Image decode(std::size_t index) const override {
    Image image = inner().decode(index);
    for (const Shift& shift : shifts_) image = apply_shift(shift, image, seed_, inner().path(index));
    return image;
  }
  /// Of the data and of what is done to them.
  [[nodiscard]] std::string fingerprint(std::vector<std::size_t> samples) const override {
    std::string text = inner().fingerprint(std::move(samples));
    for (const Shift& shift : shifts_) text += fmt::format(" {}:{}", shift.name, shift.severity);
    return sha256_hex(fmt::format("{} seed {}", text, seed_));
  }

 private:
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
