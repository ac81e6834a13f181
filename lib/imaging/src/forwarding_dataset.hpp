#pragma once

#include <memory>
#include <utility>

#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// A data set that is another one but for what a class derived from it changes. Whatever Dataset is asked is passed on
/// here and nowhere else.
class ForwardingDataset : public Dataset {
 public:
  explicit ForwardingDataset(std::shared_ptr<const Dataset> inner) : inner_(std::move(inner)) {}

  [[nodiscard]] const std::vector<Sample>& samples() const override { return inner_->samples(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return inner_->classes(); }
  [[nodiscard]] std::int64_t skipped() const override { return inner_->skipped(); }
  [[nodiscard]] bool images() const override { return inner_->images(); }
  [[nodiscard]] bool integers() const override { return inner_->integers(); }
  [[nodiscard]] Image decode(std::size_t index) const override { return inner_->decode(place(index)); }
  [[nodiscard]] Tensor array(std::size_t index) const override { return inner_->array(place(index)); }
  [[nodiscard]] Reader reader() const override { return inner_->reader(); }
  [[nodiscard]] const std::vector<Bad>& bad() const override { return inner_->bad(); }
  [[nodiscard]] const std::vector<Bad>& skipped_files() const override { return inner_->skipped_files(); }
  [[nodiscard]] std::vector<std::string> notes(const Pipeline& pipeline) const override {
    return inner_->notes(pipeline);
  }
  [[nodiscard]] std::optional<PixelAudit> audit(std::size_t index) const override {
    return inner_->audit(place(index));
  }
  [[nodiscard]] std::string digest(std::size_t index) const override { return inner_->digest(place(index)); }
  [[nodiscard]] std::string content(std::size_t index) const override { return inner_->content(place(index)); }
  [[nodiscard]] std::string path(std::size_t index) const override { return inner_->path(place(index)); }
  [[nodiscard]] std::vector<Place> other_places() const override { return inner_->other_places(); }
  [[nodiscard]] const LabelCounts* label_counts() const override { return inner_->label_counts(); }
  [[nodiscard]] std::vector<std::string> selection_notes() const override { return inner_->selection_notes(); }
  [[nodiscard]] std::string fingerprint(std::vector<std::size_t> samples) const override {
    for (std::size_t& sample : samples) sample = place(sample);
    return inner_->fingerprint(std::move(samples));
  }

 protected:
  [[nodiscard]] const Dataset& inner() const { return *inner_; }
  /// Of a sample in the other data set. Errors  std::out_of_range
  [[nodiscard]] virtual std::size_t place(std::size_t index) const { return index; }

 private:
  std::shared_ptr<const Dataset> inner_;
};

}  // namespace shiftnorm::imaging
