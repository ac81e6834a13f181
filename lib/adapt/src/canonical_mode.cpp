#include <fmt/format.h>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::adapt {
namespace {

/// A mode's text as it grows: " name=value" for each part. What is absent is not named.
class Text {
 public:
  template <class T>
  void add(std::string_view name, const T& value) {
    text_ += fmt::format("{}{}={}", text_.empty() ? "" : " ", name, value);
  }
  template <class T>
  void add(std::string_view name, const std::optional<T>& value) {
    if (value) add(name, *value);
  }
  /// Each pattern behind its length, so that no pattern can be read as two.
  void add(std::string_view name, const std::vector<std::string>& patterns) {
    if (patterns.empty()) return;
    std::string list;
    for (const std::string& pattern : patterns) list += fmt::format("{}:{},", pattern.size(), pattern);
    add(name, list);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

// The bindings take every field: a mode with one more does not compile until its place is found here.
std::string canonical(const Mode& mode) {
  const auto& [name, policy, semantics, estimator, batch, momentum, shuffle, source_weight, prior_images, layers] =
      mode;
  const auto& [include, exclude, first, last, min_level, max_level] = layers;
  const bool measuring = measures(policy);
  const bool in_batches = policy == Policy::batch || (measuring && semantics == Semantics::batch);
  const bool by_momentum = estimator == Estimator::ema || estimator == Estimator::ema_reset;
  Text text;
  text.add("policy", name_of(policy));
  if (measuring) {
    text.add("semantics", name_of(semantics));
    text.add("estimator", name_of(estimator));
    if (by_momentum) text.add("momentum", momentum);
  }
  // A source may be one that its file's own runtime normalises by batches.
  if (in_batches || policy == Policy::source) text.add("batch", batch);
  if (in_batches) text.add("shuffle", shuffle);
  if (weighted(policy)) {
    text.add("source-weight", source_weight);
    text.add("prior-images", prior_images);
  }
  text.add("layers.include", include);
  text.add("layers.exclude", exclude);
  text.add("layers.first", first);
  text.add("layers.last", last);
  text.add("layers.min-level", min_level);
  text.add("layers.max-level", max_level);
  return text.take();
}

}  // namespace shiftnorm::adapt
