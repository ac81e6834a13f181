#include "dicom/tag_labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "label_join.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::imaging::dicom {
namespace {

struct Value {
  std::string text;  ///< as `comparable` gives it
  std::int32_t label;
  bool used = false;
};

class Labeller {
 public:
  Labeller(const TagLabel& label, const std::vector<std::string>& classes) : label_(label) {
    for (const auto& [value, name] : label.map) {
      const auto index = static_cast<std::int32_t>(std::ranges::find(classes, name) - classes.begin());
      const std::string text = comparable(value);
      const auto same = std::ranges::find(values_, text, &Value::text);
      if (same == values_.end())
        values_.push_back({text, index});
      else if (same->label != index)
        throw ConfigError(
            fmt::format("label.map: two values that differ only in case or blanks have classes '{}' and '{}'; "
                        "expected one class",
                        printable(classes[static_cast<std::size_t>(same->label)]), printable(name)));
    }
  }

  [[nodiscard]] std::int32_t label_of(const std::string& text) {
    const std::string found = comparable(text);
    for (Value& value : values_)
      if (value.text == found) {
        value.used = true;
        return value.label;
      }
    std::set<std::int32_t> labels;
    for (Value& value : values_)
      if (has_value(found, value.text)) {
        value.used = true;
        labels.insert(value.label);
      }
    if (labels.size() > 1) ++ambiguous_;
    return labels.size() == 1 ? *labels.begin() : -1;
  }

  void check() const {
    if (ambiguous_ > 0)
      throw FormatError(
          fmt::format("label.tag = {}: {} images have values of several classes, so that their labels are ambiguous; "
                      "expected a map that separates them",
                      printable(label_.tag), ambiguous_));
  }
  [[nodiscard]] std::int64_t unused() const { return std::ranges::count(values_, false, &Value::used); }

 private:
  const TagLabel& label_;
  std::vector<Value> values_;
  std::int64_t ambiguous_ = 0;
};

}  // namespace

TagLabels tag_labels(const TagLabel& label, const std::vector<std::string>& given, std::span<const Found> objects) {
  if (label.map.empty() && !names_nobody(label.tag))
    throw ConfigError(fmt::format(
        "label.tag = {}: its values might identify a person or a place, and class names are printed; expected "
        "a map from its values to class names",
        printable(label.tag)));
  TagLabel whole = label;
  std::set<std::string> names;
  for (const Found& found : objects)
    if (const std::string& text = found.facts.tags.back(); label.map.empty() && !text.empty()) whole.map[text] = text;
  for (const auto& [value, name] : whole.map) names.insert(name);
  TagLabels out;
  out.classes = class_names(names, given, fmt::format("label.tag = {}", printable(label.tag)));
  Labeller labeller(whole, out.classes);
  for (const Found& found : objects) out.labels.push_back(labeller.label_of(found.facts.tags.back()));
  labeller.check();
  out.unused = labeller.unused();
  return out;
}

}  // namespace shiftnorm::imaging::dicom
