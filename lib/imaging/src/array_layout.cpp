#include "array_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {
namespace {

constexpr std::string_view kLetters = "CTLDHW";  // in the order of the network's axes

bool channel_count(std::int64_t extent) { return extent == 1 || extent == 3 || extent == 4; }

/// What an array of 8 or 16 unsigned bits is by its shape; empty: no images.
std::string letters_of_images(const Shape& shape) {
  if (shape.rank() == 3) return "NHW";
  if (shape.rank() == 4 && channel_count(shape[3])) return "NHWC";
  if (shape.rank() == 4 && channel_count(shape[1])) return "NCHW";
  return {};
}

bool image_type(DType type) { return type == DType::u8 || type == DType::u16; }

}  // namespace

void check_layout(const std::string& letters) {
  const auto wrong = [&] {
    throw ConfigError(fmt::format(
        "{}; expected N and then each axis once, of C (channels), T, L, D, H, W: NCHW, NHWC, NTC, NDHWC, NC",
        printable(letters)));
  };
  if (letters.size() < 2 || letters[0] != 'N') wrong();
  for (std::size_t i = 1; i < letters.size(); ++i)
    if (kLetters.find(letters[i]) == std::string_view::npos || letters.find(letters[i], i + 1) != std::string::npos)
      wrong();
}

Shape ArrayLayout::shape() const {
  std::vector<std::int64_t> extents;
  for (const Axis& axis : axes) extents.push_back(axis.extent);
  return Shape(std::move(extents));
}

const ArrayLayout::Axis* ArrayLayout::find(char letter) const {
  const auto found = std::ranges::find(axes, letter, &Axis::letter);
  return found == axes.end() ? nullptr : &*found;
}

bool ArrayLayout::in_place() const {
  std::int64_t stride = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    if (axis->extent != 1 && axis->stride != stride) return false;
    stride *= axis->extent;
  }
  return true;
}

ArrayLayout layout_of(const Shape& shape, DType type, const std::string& wanted) {
  if (shape.rank() < 2)
    throw ConfigError(fmt::format("array of shape {}; expected samples along the first axis", shape.text()));
  if (!wanted.empty()) {
    check_layout(wanted);
    if (wanted.size() != shape.rank())
      throw ConfigError(
          fmt::format("array of shape {} with layout {}; expected one letter for each axis", shape.text(), wanted));
  }
  const std::string letters = wanted.empty() && image_type(type) ? letters_of_images(shape) : wanted;
  ArrayLayout layout;
  for (std::size_t i = 1; i < shape.rank(); ++i)
    layout.axes.push_back({letters.empty() ? '\0' : letters[i], shape[i], shape.elements_from(i + 1)});
  if (letters.empty()) return layout;
  std::ranges::stable_sort(layout.axes, {}, [](const ArrayLayout::Axis& axis) { return kLetters.find(axis.letter); });
  if (layout.find('C') == nullptr) layout.axes.insert(layout.axes.begin(), {'C', 1, 0});
  return layout;
}

bool images_of(const ArrayLayout& layout, DType type) {
  return image_type(type) && layout.axes.size() == 3 && layout.find('H') != nullptr && layout.find('W') != nullptr &&
         channel_count(layout.axes[0].extent);
}

}  // namespace shiftnorm::imaging
