#include <catch2/catch.hpp>
#include <filesystem>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "support.hpp"
#include "support/npy_file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using shiftnorm::test::TempDir;

namespace {

Array integers(const Shape& shape, const std::vector<std::int64_t>& values) { return Array::from_int64(shape, values); }

/// A folder with one array file in it.
struct OneFile {
  TempDir dir;
  std::string path;
  OneFile(const char* name, const std::vector<std::byte>& bytes) : path((dir.path() / name).string()) {
    put(path, bytes);
  }
  OneFile(const char* name, const Array& array) : OneFile(name, shiftnorm::test::write_npy(array)) {}
};

std::vector<std::uint16_t> counted(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

}  // namespace

// Oracle: MedMNIST's files: `test_labels` beside `test_images`.
TEST_CASE("MedMNIST's layout: images with the labels of their split", "[imaging]") {
  const OneFile file("x.npz", npz({{"train_images", counting({4, 2, 2})},
                                   {"train_labels", integers({4}, {0, 0, 0, 5})},
                                   {"test_images", counting({3, 2, 2})},
                                   {"test_labels", integers({3, 1}, {2, 0, 1})}}));
  const auto data = open_dataset(file.path + "#test_images", {});
  CHECK(data->images());
  CHECK(labels(*data) == std::vector<std::int32_t>{2, 0, 1});
  CHECK(data->classes() == std::vector<std::string>{"0", "1", "2"});
  CHECK(data->samples()[1].id == "test_images[1]");
  const Image image = data->decode(1);
  CHECK(image.channels == 1);
  CHECK(image.pixels == counted({4, 5, 6, 7}));
  CHECK(open_dataset(file.path + "#train_images", {.limit = {.per_class = 1}})->samples().size() == 2);

  const auto text = [&](const std::string& key, const DatasetOptions& options = {}) {
    return error_of<ConfigError>([&] { return open_dataset(file.path + key, options); });
  };
  CHECK(text("#val_images") ==
        "x.npz: has no array 'val_images'; expected one of test_images, test_labels, train_images, train_labels");
  CHECK_THAT(
      text(""),
      Contains("x.npz: holds the arrays test_images, test_labels, train_images, train_labels; expected FILE#NAME"));
  CHECK_THAT(text("#test_images", {.classes = {"a", "b"}}), Contains("2 names given; the labels go up to 2"));
}

// Law: one class for each image, or an error.
TEST_CASE("Labels that do not fit the images are refused", "[imaging]") {
  const auto text = [](const Array& wrong) {
    const OneFile file("x.npz", npz({{"a_images", counting({3, 2, 2})}, {"a_labels", wrong}}));
    return error_of<Error>([&] { return open_dataset(file.path, {}); });
  };
  CHECK(text(integers({2}, {0, 1})) ==
        "x.npz: a_labels has shape [2]; expected [3] or [3, 1], one class for each image");
  CHECK_THAT(text(integers({3, 2}, {0, 1, 0, 1, 0, 1})), Contains("a_labels has shape [3, 2]"));
  CHECK_THAT(text(integers({3}, {0, 1, -2})), Contains("a_labels holds -2; expected class indices"));
  CHECK_THAT(text(integers({3}, {0, 1, 1LL << 40})), Contains("expected class indices"));

  // Where labels do not matter they are not looked at: ChestMNIST has fourteen for each image.
  const OneFile file("x.npz",
                     npz({{"a_images", counting({3, 2, 2})}, {"a_labels", integers({3, 2}, {0, 1, 0, 1, 0, 1})}}));
  CHECK(open_dataset(file.path, {.labelled = false})->classes().empty());
}

// Oracle: indices worked by hand: counting() numbers the elements in the order of the file.
TEST_CASE("Image arrays in every layout", "[imaging]") {
  const OneFile last("last.npy", counting({2, 1, 2, 3}));
  CHECK(open_dataset(last.path, {})->decode(1).pixels == counted({6, 7, 8, 9, 10, 11}));
  const OneFile first("first.npy", counting({2, 3, 1, 2}));
  CHECK(open_dataset(first.path, {})->decode(1).pixels == counted({6, 8, 10, 7, 9, 11}));
  const OneFile alpha("alpha.npy", counting({1, 1, 2, 4}));
  CHECK(open_dataset(alpha.path, {})->decode(0).pixels == counted({0, 1, 2, 4, 5, 6}));
  const OneFile either("either.npy", counting({1, 3, 2, 3}));
  CHECK(open_dataset(either.path, {})->decode(0).height == 3);
  CHECK(open_dataset(either.path, {.layout = "NCHW"})->decode(0).height == 2);
  CHECK(open_dataset(last.path, {.layout = "NWHC"})->decode(1).height == 2);
  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(last.path, {.layout = "NHW"}); }),
             Contains("last.npy: array of shape [2, 1, 2, 3] with layout NHW"));
}

// Law: what is not an image keeps its shape and values.
TEST_CASE("Whole numbers of other shapes and types are no images", "[imaging]") {
  const auto plain = [](const Array& array, const DatasetOptions& options = {}) {
    const OneFile file("x.npy", array);
    const auto data = open_dataset(file.path, options);
    CHECK_FALSE(data->images());
    CHECK(data->integers());
    return data->array(data->samples().size() - 1);
  };
  CHECK(plain(counting({2, 2, 2, 2})).values == AlignedVector<float>{8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(plain(counting({2, 3, 4, 5}), {.layout = "NDHW"}).shape == Shape{1, 3, 4, 5});  // MedMNIST's volumes
  CHECK(plain(counting({2, 3, 4}), {.layout = "NTC"}).values ==
        AlignedVector<float>{12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23});
  CHECK(plain(integers({2, 2}, {1, -2, 3, 4})).values == AlignedVector<float>{3, 4});
  CHECK(plain(counting({2, 2, 2, 5}), {.layout = "NHWC"}).shape == Shape{5, 2, 2});
}

// Law: each axis once, N first.
TEST_CASE("A layout names every axis once, N first", "[imaging]") {
  for (const char* good : {"NC", "NCT", "NTC", "NHWC", "NDHWC", "NTHWC", "NHW"}) CHECK_NOTHROW(check_layout(good));
  for (const char* bad : {"", "N", "CN", "NCC", "NHWX", "nchw", "NN"})
    CHECK_THAT(error_of<ConfigError>([&] { check_layout(bad); }), Contains("expected N and then each axis once"));
}

// Oracle: 0x0201 and 0xffff, little-endian.
TEST_CASE("16-bit image arrays keep their bits", "[imaging]") {
  const OneFile file("x.npy",
                     Array(DType::u16, {1, 1, 2}, {std::byte{1}, std::byte{2}, std::byte{255}, std::byte{255}}));
  const Image image = open_dataset(file.path, {})->decode(0);
  CHECK(image.bits == 16);
  CHECK(image.pixels == std::vector<std::uint16_t>{513, 65535});
}

// Oracle: np.transpose of the same numbers, as noted.
TEST_CASE("Floating-point arrays enter as they are", "[imaging]") {
  const std::vector<float> values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const OneFile file("x.npy", Array::from_floats({2, 1, 2, 3}, values));
  const auto plain = open_dataset(file.path, {});
  CHECK_FALSE(plain->images());
  CHECK(plain->samples()[1].id == "x[1]");
  CHECK(plain->array(1).shape == Shape{1, 2, 3});
  CHECK(plain->array(1).values == AlignedVector<float>{6, 7, 8, 9, 10, 11});
  const Tensor turned = open_dataset(file.path, {.layout = "NHWC"})->array(1);
  CHECK(turned.shape == Shape{3, 1, 2});
  CHECK(turned.values == AlignedVector<float>{6, 9, 7, 10, 8, 11});
  // As NumPy's np.transpose(x, (0, 4, 3, 1, 2)) of x = arange(12).reshape(1, 1, 2, 3, 2) lists them.
  const OneFile volume("x.npy", Array::from_floats({1, 1, 2, 3, 2}, values));
  const Tensor mixed = open_dataset(volume.path, {.layout = "NHWDC"})->array(0);
  CHECK(mixed.shape == Shape{2, 3, 1, 2});
  CHECK(mixed.values == AlignedVector<float>{0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11});
  const OneFile planes("x.npy", Array::from_floats({2, 2, 3}, values));
  CHECK(open_dataset(planes.path, {.layout = "NHW"})->array(0).shape == Shape{1, 2, 3});
  CHECK_THAT(error_of<Error>([&] { return plain->decode(0); }), Contains("expected array()"));
  const OneFile scalar("x.npy", Array::from_floats({12}, values));
  CHECK_THAT(error_of<ConfigError>([&] { return open_dataset(scalar.path, {}); }),
             Contains("expected samples along the first axis"));
}

// Law: the one array beside `labels` needs no name, and its fingerprint is that of the named one.
TEST_CASE("safetensors: labels beside the images, the only array without a key", "[imaging]") {
  const std::vector<std::pair<std::string, Array>> arrays{{"scans", counting({2, 2, 2, 1})},
                                                          {"labels", integers({2}, {1, 0})}};
  const OneFile file("x.safetensors", container::write_safetensors(arrays));
  const auto data = open_dataset(file.path, {.classes = {"no", "yes"}});
  CHECK(labels(*data) == std::vector<std::int32_t>{1, 0});
  CHECK(data->classes() == std::vector<std::string>{"no", "yes"});
  CHECK(data->decode(1).pixels == counted({4, 5, 6, 7}));
  CHECK(data->fingerprint() == open_dataset(file.path + "#scans", {})->fingerprint());
  CHECK(data->fingerprint() != open_dataset(file.path, {.limit = {.images = 1}})->fingerprint());
}

// Law: every message begins with the name of the file.
TEST_CASE("Bad array files are refused with their name", "[imaging]") {
  std::vector<std::byte> cut = shiftnorm::test::write_npy(counting({2, 2, 2}));
  cut.resize(cut.size() - 1);
  const OneFile truncated("x.npy", cut);
  CHECK(error_of<FormatError>([&] { return open_dataset(truncated.path, {}); }).starts_with("x.npy: "));
  const OneFile nothing("x.npy", std::vector<std::byte>{});
  CHECK(error_of<FormatError>([&] { return open_dataset(nothing.path, {}); }).starts_with("x.npy: "));
  const OneFile none("x.npy", counting({0, 2, 2}));
  CHECK_THAT(error_of<FormatError>([&] { return open_dataset(none.path, {}); }),
             Contains("expected at least one sample"));
  CHECK_THAT(error_of<FormatError>([&] { return open_dataset(none.path + "y#key", {}); }), Contains("no such file"));
}
