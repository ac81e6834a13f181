#include "shiftnorm/container/safetensors.hpp"

#include <catch2/catch.hpp>

#include "container/bytes.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::container;
using Catch::Matchers::Contains;

namespace {

std::vector<std::byte> safetensors(const std::string& header, const std::string& data) {
  return test::ByteWriter().u64(header.size()).text(header).text(data).bytes();
}

}  // namespace

// Oracle: the format's definition, by hand.
TEST_CASE("A safetensors file written by hand is read") {
  const auto file = safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  )",
      std::string("\0\0\xc0\x3f\x07\x08", 6));
  const SafetensorsIndex index = index_safetensors(file);
  REQUIRE(index.entries.size() == 2);
  CHECK(index.entries[0].name == "a");
  CHECK(index.entries[0].begin == file.size() - 6);
  CHECK(index.entries[1].end == file.size());
  CHECK(index.metadata.at("format") == "pt");
  const auto arrays = read_safetensors(file);
  CHECK(arrays.at("a").to_float() == std::vector<float>{1.5f});
  CHECK(arrays.at("b").to_int64() == std::vector<std::int64_t>{7, 8});
}

// Law: a round trip changes no bit, and the same arrays give the same file.
TEST_CASE("Every dtype survives a round trip through safetensors") {
  std::vector<std::pair<std::string, Array>> arrays;
  for (int i = 0; i <= static_cast<int>(DType::c64); ++i) {
    Array array(static_cast<DType>(i), {2, 3});
    for (std::byte& b : array.bytes()) b = static_cast<std::byte>(i);
    arrays.emplace_back(std::string(name_of(array.dtype())), array);
  }
  arrays.emplace_back("empty", Array(DType::f32, {0, 4}));
  arrays.emplace_back("quote\"\xc3\xa9", Array(DType::f32, Shape{}));
  const auto file = write_safetensors(arrays, {{"k", "v"}});
  CHECK(index_safetensors(file).entries[0].begin % 8 == 0);
  CHECK(index_safetensors(file).metadata.at("k") == "v");
  const auto read = read_safetensors(file);
  REQUIRE(read.size() == arrays.size());
  for (const auto& [name, array] : arrays) {
    CHECK(read.at(name).dtype() == array.dtype());
    CHECK(read.at(name).shape() == array.shape());
    CHECK(std::equal(read.at(name).bytes().begin(), read.at(name).bytes().end(), array.bytes().begin(),
                     array.bytes().end()));
  }
  CHECK(write_safetensors(arrays, {{"k", "v"}}) == file);
  arrays.push_back(arrays[0]);
  CHECK_THROWS_WITH(write_safetensors(arrays), Catch::Matchers::Contains("two tensors are called 'float64'"));
}

// Oracle: the format's README: offsets cover the data without gaps or overlaps, in agreement with type and shape.
TEST_CASE("Bad safetensors headers are refused") {
  const auto [header, message] = GENERATE(table<std::string, std::string>({
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
       "tensor 'a': data_offsets [0, 4] span 4 bytes; expected those of float32 [2]"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", "expected a range inside the 8 bytes of data"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "data_offsets [8, 0]"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", "data_offsets [-8, 0]"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       "begins at data byte 4; expected 0, without gaps or overlaps"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "the tensors take 4 bytes of data; the file has 8"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       "tensor 'b' begins at data byte 4; expected 8"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", "tensor 'a': axis 0 has extent -2"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
       "more elements than 64 bits can count"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}})", "span 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "tensor 'a': the key 'data_offsets' is missing"},
      {R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", "expected an integer"},
      {R"({"a":1})", "tensor 'a': is an integer; expected an object"},
      {R"({"a":{},"a":{}})", "key 'a' is given twice"},
      {R"([])", "the header is not a JSON object"},
      {R"({"__metadata__":{"a":1}})", "'__metadata__': is an integer; expected a string"},
  }));
  CAPTURE(header);
  CHECK_THROWS_AS(index_safetensors(safetensors(header, "12345678")), FormatError);
  CHECK_THROWS_WITH(index_safetensors(safetensors(header, "12345678")), Contains(message));
}

// Law: what is unknown is named, and never guessed.
TEST_CASE("A dtype we lack is unsupported, named with its tensor") {
  const auto file = safetensors(R"({"w":{"dtype":"F4","shape":[8],"data_offsets":[0,8]}})", "12345678");
  CHECK_THROWS_AS(index_safetensors(file), UnsupportedError);
  CHECK_THROWS_WITH(index_safetensors(file), "safetensors: tensor 'w': element type 'F4' is not supported");
}

// Law: a length is compared with what is left before memory is taken.
TEST_CASE("Lying header lengths are refused before memory is taken") {
  for (const std::uint64_t length : {std::uint64_t{1} << 60U, UINT64_MAX, std::uint64_t{200'000'000}, std::uint64_t{9}})
    CHECK_THROWS_WITH(index_safetensors(test::ByteWriter().u64(length).text("{}      ").bytes()),
                      Contains("safetensors: header of " + std::to_string(length) + " bytes"));
  CHECK_THROWS_WITH(index_safetensors(test::bytes_of("1234")), "safetensors: has 4 bytes; expected at least 8");
}

// Law: a damaged file is read or refused, and one that was cut is refused.
TEST_CASE("A damaged safetensors file never crashes the reader") {
  const auto file = write_safetensors(
      std::vector<std::pair<std::string, Array>>{{"a", Array(DType::f32, {2})}, {"b", Array(DType::u8, {3})}});
  CHECK(test::accepted_when_damaged(file, [](const auto& f) { (void)read_safetensors(f); }) == 0);
}

// Oracle: a round trip; shapes as shared/oracle/cifar_resnet.py builds them.
TEST_CASE("A safetensors file of a published network is read and written to the same arrays") {
  const auto shared =
      test::shared_data("A safetensors file of a published network is read and written to the same arrays");
  if (!shared) return;
  const auto file = read_file(*shared / "data/variants/resnet20.safetensors");
  const auto arrays = read_safetensors(file);
  CHECK(arrays.at("conv1.weight").shape() == Shape{16, 3, 3, 3});
  CHECK(arrays.at("bn1.running_var").shape() == Shape{16});
  const std::vector<std::pair<std::string, Array>> list(arrays.begin(), arrays.end());
  const auto again = read_safetensors(write_safetensors(list));
  REQUIRE(again.size() == arrays.size());
  for (const auto& [name, array] : arrays)
    CHECK(std::equal(array.bytes().begin(), array.bytes().end(), again.at(name).bytes().begin(),
                     again.at(name).bytes().end()));
}
