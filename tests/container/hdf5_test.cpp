// Oracle: files written by h5py and libhdf5 (make_hdf5_files.py); what they hold is what that script puts in.
#include "shiftnorm/container/hdf5.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <map>

#include "container/bytes.hpp"
#include "container/hdf5_files.hpp"
#include "shiftnorm/core/error.hpp"

using namespace shiftnorm;
using namespace shiftnorm::container;
using Catch::Matchers::Contains;
using test::unpacked;

namespace {

std::map<std::string, std::optional<std::uint64_t>> links_of(const Hdf5& file, std::uint64_t group) {
  std::map<std::string, std::optional<std::uint64_t>> out;
  for (const Hdf5Link& link : file.links(group)) out.emplace(link.name, link.target);
  return out;
}

std::uint64_t at(const Hdf5& file, const std::vector<std::string>& path) {
  std::uint64_t object = file.root();
  for (const std::string& name : path) object = *links_of(file, object).at(name);
  return object;
}

/// Everything that a reader may ask, three groups deep; unsupported parts are passed over.
void walk(const std::vector<std::byte>& bytes) {
  const Hdf5 file(bytes);
  const std::function<void(std::uint64_t, int)> visit = [&](std::uint64_t object, int depth) {
    for (const char* name : {"model_config", "layer_names", "variable", "attribute_7"}) (void)file.texts(object, name);
    const std::vector<Hdf5Link> links = file.links(object);
    if (links.empty()) {
      try {
        (void)file.values(file.dataset(object));
      } catch (const Error&) {
      }
    }
    if (depth == 0) return;
    for (const Hdf5Link& link : links)
      if (link.target) visit(*link.target, depth - 1);
  };
  visit(file.root(), 3);
}

void replace(std::vector<std::byte>& file, std::uint64_t number, std::uint64_t by) {
  std::array<std::byte, 8> from{}, to{};
  std::memcpy(from.data(), &number, 8);
  std::memcpy(to.data(), &by, 8);
  std::size_t found = 0;
  for (auto it = file.begin(); (it = std::search(it, file.end(), from.begin(), from.end())) != file.end(); ++found)
    std::copy(to.begin(), to.end(), it);
  REQUIRE(found > 0);
}

}  // namespace

// Oracle: what make_hdf5_files.py put in with h5py.
TEST_CASE("HDF5: groups, texts and datasets, of the oldest and the newest layout") {
  const auto* kept = GENERATE(&test::kHdf5Earliest, &test::kHdf5Latest);
  const std::vector<std::byte> bytes = unpacked(*kept);
  const Hdf5 file(bytes);
  CHECK(file.texts(file.root(), "model_config") == std::vector<std::string>{"{\"class_name\": \"Sequential\"}"});
  CHECK(file.texts(file.root(), "none") == std::vector<std::string>{});  // numbers
  CHECK_FALSE(file.texts(file.root(), "absent").has_value());
  const std::uint64_t weights = at(file, {"model_weights"});
  CHECK(file.texts(weights, "layer_names") == std::vector<std::string>{"dense", "bn"});
  CHECK(file.texts(weights, "variable") == std::vector<std::string>{"a", "", "longer text"});

  const Hdf5Dataset kernel = file.dataset(at(file, {"model_weights", "dense", "kernel:0"}));
  CHECK(kernel.shape == Shape{2, 3});
  CHECK(kernel.dtype == DType::f32);
  CHECK(file.values(kernel).to_float() == std::vector<float>{0, 1, 2, 3, 4, 5});
  float third = 0;
  std::memcpy(&third, bytes.data() + kernel.offset + 8, 4);
  CHECK(third == 2);
  CHECK(file.values(file.dataset(at(file, {"model_weights", "bn", "bn", "gamma:0"}))).to_float() ==
        std::vector<float>{1, 2, 3});
  const Hdf5Dataset count = file.dataset(at(file, {"model_weights", "count"}));
  CHECK(count.shape.rank() == 0);
  CHECK(file.values(count).to_int64() == std::vector<std::int64_t>{7});
  CHECK_THROWS_WITH(file.dataset(weights), "HDF5: is not a dataset");
}

// Oracle: what make_hdf5_files.py put in with h5py.
TEST_CASE("HDF5: links and attributes that moved out of their headers") {
  const std::vector<std::byte> bytes = unpacked(test::kHdf5Dense);
  const Hdf5 file(bytes);
  const std::uint64_t group = at(file, {"dense"});
  const auto links = links_of(file, group);
  CHECK(links.size() == 300);
  CHECK(file.values(file.dataset(*links.at("weight_000"))).to_double() == std::vector<double>{2.5});
  CHECK_FALSE(links.at("weight_299").has_value());  // soft
  for (int i = 0; i < 20; ++i)
    CHECK(file.texts(group, "attribute_" + std::to_string(i)) == std::vector<std::string>{"text " + std::to_string(i)});
}

// Oracle: what make_hdf5_files.py put in with h5py, by the name of each dataset.
TEST_CASE("HDF5: what is not read is refused by what it is") {
  const std::vector<std::byte> bytes = unpacked(test::kHdf5Odd);
  const Hdf5 file(bytes);
  const auto links = links_of(file, file.root());
  CHECK_FALSE(links.at("soft").has_value());
  CHECK_FALSE(links.at("external").has_value());
  CHECK(file.values(file.dataset(*links.at("half"))).to_float() == std::vector<float>{1, 2});
  CHECK(file.dataset(*links.at("empty")).shape == Shape{0, 3});
  CHECK(file.values(file.dataset(*links.at("single"))).to_float() == std::vector<float>{1});
  CHECK(at(file, {"a", "around", "b", "around"}) == file.root());  // a circle is nobody's to follow
  const auto [name, message] = GENERATE(table<std::string, std::string>({
      {"big_endian", "numbers are big-endian; expected little-endian"},
      {"complex", "elements of class 6 and 16 bytes; expected numbers"},
      {"bool", "elements of class 8 and 1 bytes; expected numbers"},
      {"null", "holds no values"},
      {"never_written", "do not lie inside the file"},
      {"scaled", "is compressed by filter 6; expected gzip, shuffle, fletcher32 or lzf"},
  }));
  CHECK_THROWS_WITH(file.dataset(*links.at(name)), Contains(message));
}

// Oracle: what make_hdf5_files.py put in with h5py and libhdf5's filters.
TEST_CASE("HDF5: datasets in chunks, compressed as h5py compresses") {
  const bool latest = GENERATE(false, true);
  const std::vector<std::byte> bytes = unpacked(latest ? test::kHdf5ChunkedLatest : test::kHdf5Chunked);
  const Hdf5 file(bytes);
  const auto values = [&file](const std::string& name) {
    return file.values(file.dataset(at(file, {name}))).to_double();
  };
  std::vector<double> quarters, counting;
  for (int i = 0; i < 35; ++i) {
    if (i < 10) quarters.push_back(i / 4.0);
    counting.push_back(i);
  }
  for (const std::string name : {"plain", "gzip", "shuffled", "lzf", "summed"}) {
    CAPTURE(name);
    CHECK(values(name) == quarters);
    CHECK(values(name + "_in_four") == quarters);
  }
  CHECK(values("matrix") == counting);
  CHECK(values("repeated") == std::vector<double>(4096, 1.5));
  if (latest) {
    CHECK_THROWS_WITH(values("extendible"), Contains("in chunks of an extendible index (4)"));
  } else {
    CHECK(values("extendible") == quarters);
  }
  CHECK(values("partly") == std::vector<double>{7, 7, 7, 1, 2, 3, 7, 7, 7});
}

// Law: what was written is read, and nothing else changes.
TEST_CASE("HDF5: values in chunks are written back") {
  const bool latest = GENERATE(false, true);
  const auto noise = GENERATE(false, true);  // noise does not fit where smooth values lay
  const std::vector<std::byte> bytes = unpacked(latest ? test::kHdf5ChunkedLatest : test::kHdf5Chunked);
  const Hdf5 before(bytes);
  std::vector<std::string> changed{"plain",         "gzip",         "shuffled",         "summed",        "matrix",
                                   "plain_in_four", "gzip_in_four", "shuffled_in_four", "summed_in_four"};
  // lzf is not compressed again, so that its chunks always grow.
  if (noise) changed.insert(changed.end(), {"lzf", "lzf_in_four", "repeated"});
  std::vector<Hdf5Change> changes;
  std::uint32_t state = 1;
  for (const std::string& name : changed) {
    const Hdf5Dataset dataset = before.dataset(at(before, {name}));
    std::vector<double> values(static_cast<std::size_t>(dataset.shape.elements()), 2.0);
    if (noise)
      for (double& value : values) {
        state = state * 1664525U + 1013904223U;
        value = static_cast<double>(static_cast<float>(state) / 3e9f);
      }
    const Array wide = Array::from_doubles(dataset.shape, values);
    const std::vector<float> narrow = wide.to_float();
    changes.push_back({dataset.object, dataset.dtype == DType::f64 ? wide : Array::from_floats(dataset.shape, narrow)});
  }
  const std::vector<std::byte> written = with_changes(bytes, changes, true);
  CHECK((written.size() > bytes.size()) == noise);
  const Hdf5 after(written);
  for (const Hdf5Change& change : changes)
    CHECK(after.values(after.dataset(change.object)).to_double() == change.values.to_double());
  CHECK(after.values(after.dataset(at(after, {"partly"}))).to_double() ==
        std::vector<double>{7, 7, 7, 1, 2, 3, 7, 7, 7});
  if (noise) {
    CHECK_THROWS_WITH(with_changes(bytes, changes, false), Contains("expected the weights without compression"));
  } else {
    CHECK_NOTHROW(with_changes(bytes, changes, false));
  }
  const Hdf5Change partly{at(before, {"partly"}), Array::from_floats(Shape{9}, std::vector<float>(9, 1.0f))};
  CHECK_THROWS_WITH(with_changes(bytes, std::vector<Hdf5Change>{partly}, true), Contains("were never written"));
}

// Law: a length is compared with what is left before memory is taken.
TEST_CASE("HDF5: a dataset larger than the file is refused before memory is taken") {
  const auto extent = GENERATE(std::uint64_t{1} << 40U, std::uint64_t{1} << 62U, std::uint64_t{100000});
  std::vector<std::byte> bytes = unpacked(test::kHdf5Odd);
  replace(bytes, 77, extent);
  const Hdf5 file(bytes);
  CHECK_THROWS_AS(file.dataset(at(file, {"extent"})), FormatError);
  CHECK_THROWS_WITH(file.dataset(at(file, {"extent"})), Contains("do not lie inside the file"));
}

// Oracle: where the copy begins, 512; a byte that is missing.
TEST_CASE("HDF5: a file in a file, and one that is cut short") {
  std::vector<std::byte> bytes = unpacked(test::kHdf5Earliest);
  std::vector<std::byte> behind(512);
  behind.insert(behind.end(), bytes.begin(), bytes.end());
  CHECK_THROWS_WITH(Hdf5(behind), "HDF5: begins at byte 512, after a user block, which is not supported");
  bytes.pop_back();
  CHECK_THROWS_WITH(Hdf5(bytes), Contains("the file is truncated"));
}

// Law: any damage ends in an error or in other values, never in a crash or a hang. Three of 250 such files killed or
// hung libhdf5 1.10.8.
TEST_CASE("HDF5: damaged files never crash the reader") {
  CHECK(test::accepted_when_damaged(unpacked(test::kHdf5Latest), walk) == 0);
}

// Every byte of these would take long.
// Law: damage is an Error or goes unnoticed, nothing else; some of it is noticed.
TEST_CASE("HDF5: damaged trees and heaps never crash the reader") {
  const auto [kept, step] = GENERATE(table<const test::DeflatedFile*, std::size_t>({{&test::kHdf5Earliest, 3},
                                                                                    {&test::kHdf5Odd, 5},
                                                                                    {&test::kHdf5Dense, 13},
                                                                                    {&test::kHdf5Chunked, 3},
                                                                                    {&test::kHdf5ChunkedLatest, 3}}));
  const std::vector<std::byte> whole = unpacked(*kept);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size(); i += step) {
    std::vector<std::byte> damaged = whole;
    damaged[i] ^= std::byte{0xff};
    try {
      walk(damaged);
    } catch (const Error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
}
