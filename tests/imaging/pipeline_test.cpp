#include <catch2/catch.hpp>

#include "goldens.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "support.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;

namespace {

Pipeline custom(std::vector<Step> steps) { return {"custom", std::move(steps)}; }

/// The picture whose pixel is its row, for seeing where a crop lies.
Image rows(std::int64_t height) {
  Image image{.height = height, .width = 1, .channels = 1, .bits = 8, .pixels = {}};
  for (std::int64_t y = 0; y < height; ++y) image.pixels.push_back(static_cast<std::uint16_t>(y + 1));
  return image;
}

std::vector<std::uint16_t> cropped_rows(std::int64_t from, std::int64_t to) {
  return apply_image_steps(custom({CenterCrop{to, 1}}), rows(from), 1).pixels;
}

}  // namespace

// Oracle: by hand, Python's round(): 0.5 -> 0, 1.5 -> 2, 2.5 -> 2; padding puts the odd line last.
TEST_CASE("Centre crops round halves to even and pad with zeros", "[imaging]") {
  CHECK(cropped_rows(3, 2) == std::vector<std::uint16_t>{1, 2});
  CHECK(cropped_rows(5, 2) == std::vector<std::uint16_t>{3, 4});
  CHECK(cropped_rows(7, 2) == std::vector<std::uint16_t>{3, 4});
  CHECK(cropped_rows(4, 2) == std::vector<std::uint16_t>{2, 3});
  CHECK(cropped_rows(2, 5) == std::vector<std::uint16_t>{0, 1, 2, 0, 0});
}

// Oracle: torchvision 0.14 (make_goldens.py).
TEST_CASE("Centre crops are torchvision's", "[imaging]") {
  for (const goldens::Crop& row : goldens::kCrops) {
    INFO(row.height << " x " << row.width << " to " << row.to_height << " x " << row.to_width);
    const Image out =
        apply_image_steps(custom({CenterCrop{row.to_height, row.to_width}}), picture(row.height, row.width, 3), 3);
    CHECK(digest(out) == row.pixels_sha256);
  }
}

// Oracle: torchvision 0.14 (make_goldens.py).
TEST_CASE("Resize and crop are torchvision's", "[imaging]") {
  for (const goldens::Steps& row : goldens::kSteps) {
    INFO(row.height << " x " << row.width);
    const Image out =
        apply_image_steps(custom({Resize{.size = 32}, CenterCrop{28, 28}}), picture(row.height, row.width, 3), 3);
    CHECK(digest(out) == row.pixels_sha256);
  }
}

// Oracle: int(size * long / short) by hand: int(256 * 500 / 375) = 341; int(8 * 7 / 3) = 18.
TEST_CASE("Resize scales the shorter side and truncates the longer", "[imaging]") {
  const Image wide = apply_image_steps(custom({Resize{.size = 256}}), picture(375, 500, 1), 0);
  CHECK(wide.height == 256);
  CHECK(wide.width == 341);
  const Image tall = apply_image_steps(custom({Resize{.size = 8}}), picture(7, 3, 1), 0);
  CHECK(tall.height == 18);
  CHECK(tall.width == 8);
  const Image exact = apply_image_steps(custom({Resize{.height = 3, .width = 9}}), picture(7, 3, 1), 0);
  CHECK(exact.height == 3);
  CHECK(exact.width == 9);
}

// Oracle: by hand: 5 rows for each of 20000 columns.
TEST_CASE("Resizing a line to an enormous image is refused", "[imaging]") {
  const auto call = [] { return apply_image_steps(custom({Resize{.size = 20000}}), picture(1, 5, 1), 0); };
  CHECK_THAT(error_of<FormatError>(call), Contains("resizing would give 20000 x 100000"));
}

// Oracle: PIL 9.4's convert("L") (make_goldens.py); the other way each channel is a copy.
TEST_CASE("Grey and colour convert as PIL converts them", "[imaging]") {
  const Image grey = apply_image_steps(custom({Convert{1}}), picture(4, 5, 3), 0);
  CHECK(grey.pixels == std::vector<std::uint16_t>(std::begin(goldens::kLuma), std::end(goldens::kLuma)));
  const Image colour = apply_image_steps(custom({}), picture(1, 2, 1), 3);
  CHECK(colour.pixels == std::vector<std::uint16_t>{0, 0, 0, 7, 7, 7});
  const Image white{.height = 1, .width = 1, .channels = 3, .bits = 16, .pixels = {65535, 65535, 65535}};
  CHECK(apply_image_steps(custom({}), white, 1).pixels == std::vector<std::uint16_t>{65535});
  CHECK_THAT(error_of<ShapeError>([&] { return apply_image_steps(custom({}), white, 4); }),
             Contains("the network takes 4"));
}

// Oracle: the formula in float32, one operation after the other, as NumPy computes it; equal to the bit.
TEST_CASE("Floats are (x / scale - mean) / std, planar", "[imaging]") {
  const Image image = picture(3, 4, 3);
  std::vector<float> out(36);
  apply_float_steps(preset("cifar10"), image, out);
  const float mean[] = {0.485f, 0.456f, 0.406f}, std[] = {0.229f, 0.224f, 0.225f};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t p = 0; p < 12; ++p)
      CHECK(out[c * 12 + p] == (static_cast<float>(image.pixels[p * 3 + c]) / 255.0f - mean[c]) / std[c]);
}

// Oracle: by hand: 2^16 - 1, and a given scale.
TEST_CASE("Without a scale, to_float divides by what the bits can hold", "[imaging]") {
  const Image wide{.height = 1, .width = 2, .channels = 1, .bits = 16, .pixels = {65535, 13107}};
  std::vector<float> out(2);
  apply_float_steps(custom({ToFloat{}}), wide, out);
  CHECK(out == std::vector<float>{1.0f, 13107.0f / 65535.0f});
  apply_float_steps(custom({ToFloat{4095.0}}), wide, out);
  CHECK(out == std::vector<float>{65535.0f / 4095.0f, 13107.0f / 4095.0f});
  CHECK_THAT(error_of<ConfigError>([&] { apply_float_steps(preset("cifar10"), wide, out); }),
             Contains("normalize has 3 means; expected 1 or 1"));
}

// Oracle: torchvision's transforms of ImageNet, by hand; the files of configs/presets.
TEST_CASE("Presets have a stable text, unknown ones are named with the known", "[imaging]") {
  CHECK(canonical(preset("imagenet")) ==
        "resize(size=256,height=0,width=0,interpolation=bilinear,antialias=true);center_crop(height=224,width=224);"
        "to_float(scale=2^bits-1);normalize(mean=[0.485,0.456,0.406],std=[0.229,0.224,0.225])");
  CHECK(preset_names() == std::vector<std::string>{"cifar10", "ct-head-3windows", "ct-lung", "cxr-chexnet",
                                                   "cxr-torchxrayvision", "imagenet", "mammography", "mr-percentile"});
  CHECK(error_of<ConfigError>([] { return preset("imagnet"); }) ==
        "preset 'imagnet' is unknown (did you mean 'imagenet'?); expected one of cifar10, ct-head-3windows, ct-lung, "
        "cxr-chexnet, cxr-torchxrayvision, imagenet, mammography, mr-percentile");
  for (const std::string& name : preset_names()) CHECK(problems(preset(name)).empty());
}

// Oracle: the nine flaws put in, in order.
TEST_CASE("Every problem of a pipeline is listed", "[imaging]") {
  const Pipeline wrong = custom({Normalize{{0.5}, {0.5}}, ToFloat{0.0}, Resize{.size = 8, .height = 2, .width = 2},
                                 Normalize{{0.5, 0.5}, {0.5}}, Convert{2}, CenterCrop{0, 4}});
  const std::vector<std::string> found = problems(wrong);
  REQUIRE(found.size() == 9);
  CHECK(found[0] == "normalize(mean=[0.5],std=[0.5]); expected it after to_float");
  CHECK(found[1] == "to_float(scale=0); expected a scale other than 0");
  CHECK_THAT(found[2], Contains("expected a size, or a height and a width"));
  CHECK_THAT(found[3], Contains("expected it before to_float"));
  CHECK_THAT(found[4], Contains("expected as many means as deviations"));
}
