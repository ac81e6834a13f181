#include "shiftnorm/imaging/sample_store.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>

#include "shiftnorm/core/error.hpp"
#include "support.hpp"
#include "support/npy_file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;
using namespace shiftnorm::imaging::test;
using Catch::Matchers::Contains;
using shiftnorm::test::TempDir;

namespace {

namespace fs = std::filesystem;

const Pipeline kPlain{"custom", {ToFloat{}}};

std::shared_ptr<const Dataset> open(const fs::path& where, const DatasetOptions& options = {}) {
  return open_dataset(where.string(), options);
}

std::vector<float> loaded(const SampleStore& store, std::size_t index) {
  std::vector<float> out(static_cast<std::size_t>(store.shape().elements()));
  store.load(index, out);
  return out;
}

std::vector<float> all(const SampleStore& store) {
  std::vector<float> out;
  for (std::size_t i = 0; i < store.size(); ++i)
    for (const float v : loaded(store, i)) out.push_back(v);
  return out;
}

/// Three good images of different content, a text file, a truncated JPEG and an odd size, in two classes.
void put_mixed(const fs::path& root) {
  put(root / "a" / "1.png", golden_file("png-rgb"));
  put(root / "a" / "2.jpg", "a text file renamed");
  put(root / "a" / "3.bmp", golden_file("bmp-rgb"));
  std::vector<std::byte> cut = golden_file("jpeg-420");
  cut.resize(cut.size() / 2);
  put(root / "b" / "4.jpg", cut);
  put(root / "b" / "5.bmp", flat_bmp(4, 5, 3));
  put(root / "b" / "6.tif", golden_file("tiff-grey16"));
}

}  // namespace

// Oracle: put_mixed(): three images are good, three are not; threads and memory change nothing.
TEST_CASE("Bad samples are listed and left out, in order, whatever the threads and the memory", "[imaging]") {
  const TempDir dir;
  put_mixed(dir.path());
  std::vector<float> first;
  for (const int threads : {1, 2, 5}) {
    for (const std::uint64_t memory : {std::uint64_t{1} << 30, std::uint64_t{400}, std::uint64_t{0}}) {
      const SampleStore store(open(dir.path()), kPlain, {3, 9, 11}, {.threads = threads, .memory = memory}, {});
      REQUIRE(store.size() == 3);
      CHECK(store.sample(0).id == "a/1.png");
      CHECK(store.sample(1).id == "a/3.bmp");
      CHECK(store.sample(2).id == "b/6.tif");
      CHECK(store.sample(2).label == 1);
      REQUIRE(store.bad().size() == 3);
      CHECK(store.bad()[0].id == "a/2.jpg");
      CHECK_THAT(store.bad()[0].reason, Contains("is not an image"));
      CHECK(store.bad()[1].id == "b/4.jpg");
      CHECK(store.bad()[1].reason == "JPEG file is truncated: it has no end-of-image marker");
      CHECK(store.bad()[2].id == "b/5.bmp");
      CHECK(store.bad()[2].reason == "is 4 x 5 after preprocessing; the network takes 9 x 11");
      const std::vector<float> values = all(store);
      if (first.empty()) first = values;
      CHECK(values == first);
    }
  }
  // Sample 2 is 16-bit grey shown in three channels: pixel (0, 1) of make_goldens.py is 7 * 251 + 3.
  CHECK(first[2 * 297 + 1] == 1760.0f / 65535.0f);
  CHECK(first[2 * 297 + 99 + 1] == 1760.0f / 65535.0f);
}

// Oracle: the sizes and values put in, by hand.
TEST_CASE("Extents that the network leaves open come from the first good sample", "[imaging]") {
  const TempDir dir;
  put(dir.path() / "0.jpg", "no image");
  put(dir.path() / "1.bmp", flat_bmp(4, 5, 3));
  put(dir.path() / "2.bmp", flat_bmp(5, 4, 3));
  put(dir.path() / "3.bmp", flat_bmp(4, 5, 7));
  const SampleStore store(open(dir.path()), kPlain, {0, 0, 0}, {.threads = 2}, {});
  CHECK(store.shape() == Shape{3, 4, 5});
  CHECK(store.size() == 2);
  REQUIRE(store.bad().size() == 2);
  CHECK(store.bad()[1].reason == "is 5 x 4 after preprocessing; the first image is 4 x 5");
  CHECK(loaded(store, 1) == std::vector<float>(60, 7.0f / 255.0f));
}

// Oracle: by hand: grey of equal colours is that value.
TEST_CASE("Images are brought to the network's channels", "[imaging]") {
  const TempDir dir;
  put(dir.path() / "1.bmp", flat_bmp(2, 2, 200));
  const SampleStore grey(open(dir.path()), kPlain, {1, 2, 2}, {}, {});
  CHECK(loaded(grey, 0) == std::vector<float>(4, 200.0f / 255.0f));
}

// Law: what is scored is what was listed, or an error.
TEST_CASE("A file that changed after loading is an error that names it", "[imaging]") {
  const TempDir dir;
  put(dir.path() / "1.bmp", flat_bmp(2, 2, 1));
  const SampleStore store(open(dir.path()), kPlain, {3, 2, 2}, {.memory = 0}, {});
  put(dir.path() / "1.bmp", flat_bmp(2, 2, 2));
  CHECK(error_of<FormatError>([&] { return loaded(store, 0); }) ==
        "1.bmp: has changed since it was first read; expected the same bytes");
  fs::remove(dir.path() / "1.bmp");
  CHECK(error_of<FormatError>([&] { return loaded(store, 0); }) == "1.bmp: no such file");
}

// Oracle: the files as they are made here: two that are not images, one that is cut off, one of another size.
TEST_CASE("No usable sample is an error that counts the reasons", "[imaging]") {
  const TempDir dir;
  put(dir.path() / "1.jpg", "no image");
  put(dir.path() / "2.jpg", "no image either");
  std::vector<std::byte> cut = flat_bmp(8, 8, 1);
  cut.resize(cut.size() / 2);
  put(dir.path() / "3.bmp", cut);
  const auto text = [&] { return error_of<Error>([&] { SampleStore(open(dir.path()), kPlain, {3, 8, 8}, {}, {}); }); };
  CHECK_THAT(text(), Contains("none of 3 samples is usable: 1.jpg: is not an image"));
  CHECK_THAT(text(), Contains("; 3 are bad (2 is not an image") && Contains(", 1 "));
  put(dir.path() / "4.bmp", flat_bmp(2, 2, 1));
  // What other options can mend is reported first.
  CHECK_THAT(text(),
             Contains("none of 4 samples is usable: 4.bmp: is 2 x 2") && Contains("4 are bad (2 is not an image"));
}

// Oracle: the one file put in, which is text.
TEST_CASE("No usable sample is an error with the first reason", "[imaging]") {
  const TempDir dir;
  put(dir.path() / "1.jpg", "no image");
  const auto store = [&](const Shape& input, const StoreOptions& options = {}, const Pipeline& pipeline = kPlain) {
    return SampleStore(open(dir.path()), pipeline, input, options, {}).size();
  };
  CHECK_THAT(error_of<FormatError>([&] {
               store({3, 2, 2});
             }),
             Contains("none of 1 samples is usable: 1.jpg: is not an image"));
  CHECK_THAT(error_of<FormatError>([&] { store({0, 0, 0}); }), Contains("none of 1 samples is usable"));
  put(dir.path() / "2.bmp", flat_bmp(2, 2, 1));
  CHECK_THAT(error_of<ShapeError>([&] {
               store({3, 8, 8});
             }),
             Contains("none of 2 samples is usable: 2.bmp: is 2 x 2 after preprocessing; the network takes 8 x 8"));
  CHECK(error_of<ShapeError>([&] { store({784}); }) == "the network takes [784]; expected [C, H, W], as images have");
  CHECK_THAT(error_of<ShapeError>([&] { store({4, 2, 2}); }), Contains("the network takes 4 channels"));
  CHECK_THAT(error_of<ConfigError>([&] { store({3, 2, 2}, {.threads = 0}); }), Contains("threads = 0"));
  CHECK_THAT(error_of<ConfigError>([&] {
               store({3, 2, 2}, {}, {"custom", {Convert{2}}});
             }),
             Contains("preprocess: convert(channels=2)"));
  CHECK_THAT(error_of<ConfigError>([&] {
               store({1, 2, 2}, {}, preset("cifar10"));
             }),
             Contains("normalize has 3 means; expected 1 or 1"));
}

// Oracle: the values put in.
TEST_CASE("Float arrays are loaded as they are, and one that is not finite is bad", "[imaging]") {
  const TempDir dir;
  const std::vector<float> values{1, 2, 3, 4, 5, NAN, 7, 8, -1, -2, -3, -4};
  put(dir.path() / "x.npy", shiftnorm::test::write_npy(Array::from_floats({3, 2, 2}, values)));
  const auto data = open(dir.path() / "x.npy");
  const SampleStore store(data, {}, {1, 2, 2}, {.threads = 2}, {});
  CHECK(store.shape() == Shape{1, 2, 2});
  REQUIRE(store.size() == 2);
  CHECK(store.sample(1).id == "x[2]");
  CHECK(loaded(store, 1) == std::vector<float>{-1, -2, -3, -4});
  REQUIRE(store.bad().size() == 1);
  CHECK(store.bad()[0].reason == "value 1 is nan; expected finite numbers");
  CHECK_THAT(error_of<ShapeError>([&] {
               SampleStore(data, {}, {3, 2, 2}, {}, {});
             }),
             Contains("has shape [2, 2]; the network takes [3, 2, 2]"));
  CHECK(SampleStore(data, {}, {0, 0}, {}, {}).shape() == Shape{2, 2});
}

// Law: each of eight files is counted once; a stop ends in Interrupted.
TEST_CASE("Loading reports progress to the end and stops when asked", "[imaging]") {
  const TempDir dir;
  for (int i = 0; i < 8; ++i) put(dir.path() / (std::to_string(i) + ".bmp"), flat_bmp(2, 2, 1));
  std::vector<std::int64_t> seen;
  Progress progress;
  progress.report = [&](std::string_view stage, std::int64_t done, std::int64_t total) {
    CHECK(stage == "load");
    CHECK(total == 8);
    seen.push_back(done);
  };
  const SampleStore store(open(dir.path()), kPlain, {3, 2, 2}, {.threads = 3}, progress);
  CHECK(seen == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8});
  const std::atomic<bool> stop{true};
  progress.cancelled = &stop;
  CHECK_THROWS_AS(SampleStore(open(dir.path()), kPlain, Shape({3, 2, 2}), {}, progress), Interrupted);
  std::vector<float> small(3);
  CHECK_THROWS_AS(store.load(0, small), ShapeError);
}
