#include <catch2/catch.hpp>
#include <cstring>

#include "formats/torch_file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;
using test::TorchFile;

namespace {

const std::vector<float> kSix{0, 1, 2, 3, 4, 5};

Checkpoint parse_torch(const std::vector<std::byte>& bytes) { return parse_checkpoint(bytes, "net.pth"); }

}  // namespace

// Oracle: views worked by hand, as torch.as_strided defines them.
TEST_CASE("Views of a shared storage are made dense, with their origins") {
  const bool zip = GENERATE(false, true);
  TorchFile file;
  const std::size_t s = file.add_floats("94", kSix);
  file.views = {{"whole", s, 0, {2, 3}, {3, 1}},
                {"transposed", s, 0, {3, 2}, {1, 3}},
                {"every_other", s, 1, {3}, {2}},
                {"scalar", s, 4, {}, {}},
                {"expanded", s, 5, {2, 2}, {0, 0}},
                {"empty", s, 6, {0, 7}, {7, 1}},
                {"odd_stride", s, 0, {3, 1}, {2, INT64_MAX}}};
  const auto bytes = file.build(zip);
  const Checkpoint checkpoint = parse_torch(bytes);
  CHECK(checkpoint.format == (zip ? "pytorch-zip" : "pytorch-legacy"));
  CHECK(checkpoint.file_name == "net.pth");
  CHECK(checkpoint.sha256.size() == 64);
  CHECK(checkpoint.bytes == bytes);
  REQUIRE(checkpoint.tensors.size() == 7);
  CHECK(checkpoint.tensors[0].name == "whole");
  CHECK(checkpoint.find("whole")->values.to_float() == kSix);
  CHECK(checkpoint.find("transposed")->values.shape() == Shape{3, 2});
  CHECK(checkpoint.find("transposed")->values.to_float() == std::vector<float>{0, 3, 1, 4, 2, 5});
  CHECK(checkpoint.find("every_other")->values.to_float() == std::vector<float>{1, 3, 5});
  CHECK(checkpoint.find("scalar")->values.to_float() == std::vector<float>{4});
  CHECK(checkpoint.find("expanded")->values.to_float() == std::vector<float>{5, 5, 5, 5});
  CHECK(checkpoint.find("odd_stride")->values.to_float() == std::vector<float>{0, 2, 4});
  CHECK(checkpoint.find("empty")->values.shape() == Shape{0, 7});
  CHECK(checkpoint.find("absent") == nullptr);

  const Origin& origin = checkpoint.find("every_other")->origin.value();
  CHECK(origin.strides == std::vector<std::int64_t>{2});
  CHECK(origin.dtype == DType::f32);
  float second = 0;
  std::memcpy(&second, bytes.data() + origin.offset + 2 * sizeof(float), sizeof second);
  CHECK(second == 3);
}

// Oracle: torch's names of its storages.
TEST_CASE("Every storage type is read as its dtype") {
  const auto [type, dtype] = GENERATE(table<std::string, DType>({{"DoubleStorage", DType::f64},
                                                                 {"FloatStorage", DType::f32},
                                                                 {"HalfStorage", DType::f16},
                                                                 {"BFloat16Storage", DType::bf16},
                                                                 {"LongStorage", DType::i64},
                                                                 {"IntStorage", DType::i32},
                                                                 {"ShortStorage", DType::i16},
                                                                 {"CharStorage", DType::i8},
                                                                 {"ByteStorage", DType::u8},
                                                                 {"BoolStorage", DType::boolean}}));
  TorchFile file;
  file.storages.push_back({"0", type, 1, std::vector<std::byte>(size_of(dtype), std::byte{1})});
  file.views = {{"x", 0, 0, {1}, {1}}};
  for (const bool zip : {false, true}) {
    const Checkpoint checkpoint = parse_torch(file.build(zip));
    CHECK(checkpoint.tensors[0].values.dtype() == dtype);
    CHECK(checkpoint.tensors[0].values.bytes()[0] == std::byte{1});
  }
}

// As torch.save wrote views before PyTorch 0.4: the storage's own view metadata (key, offset, size).
// Oracle: elements 2 to 4 of the storage, by hand.
TEST_CASE("Old storages with view metadata are followed") {
  TorchFile file;
  file.add_floats("0", kSix);
  test::PickleBuilder pickle;
  pickle.op('}').mark().text("x").global("torch._utils", "_rebuild_tensor").mark();
  pickle.mark().text("storage").global("torch", "FloatStorage").text("0").text("cpu").integer(6);
  pickle.mark().text("view").integer(2).integer(3).op('t').op('t').op('Q');
  pickle.integer(1).integers({2}).integers({1}).op('t').op('R').op('u');
  const Checkpoint checkpoint = parse_torch(file.legacy_around(pickle.finish()));
  CHECK(checkpoint.tensors[0].values.to_float() == std::vector<float>{3, 4});
}

// Law: every element of a view lies in its storage.
TEST_CASE("A view outside its storage is refused") {
  const bool zip = GENERATE(false, true);
  const auto [view, message] = GENERATE(table<TorchFile::View, std::string>({
      {{"x", 0, 0, {7}, {1}}, "tensor 'x': shape [7] with strides [1] from element 0 leaves its storage of 6 elements"},
      {{"x", 0, 3, {4}, {1}}, "leaves its storage of 6 elements"},
      {{"x", 0, 0, {2, 2}, {5, 1}}, "leaves its storage"},
      {{"x", 0, 7, {0}, {1}}, "leaves its storage"},
      {{"x", 0, -1, {2}, {1}}, "begins at element -1 of its storage"},
      {{"x", 0, 5, {2}, {-1}}, "strides [-1] for shape [2]; expected one per axis, none negative"},
      {{"x", 0, 0, {2, 3}, {1}}, "expected one per axis"},
      {{"x", 0, 0, {-2}, {1}}, "axis 0 has extent -2"},
      {{"x", 0, 0, {std::int64_t{1} << 40U, std::int64_t{1} << 40U}, {0, 0}}, "more elements than 64 bits can count"},
      {{"x", 0, 0, {std::int64_t{1} << 40U}, {0}}, "unfold to more than 4 times the file"},
      {{"x", 0, 0, {std::int64_t{1} << 32U, 2}, {std::int64_t{1} << 40U, 1}}, "leaves its storage"},
      {{"x", 0, INT64_MAX, {1}, {1}}, "leaves its storage"},
  }));
  TorchFile file;
  file.add_floats("0", kSix);
  file.views = {view};
  CHECK_THROWS_AS(parse_torch(file.build(zip)), FormatError);
  CHECK_THROWS_WITH(parse_torch(file.build(zip)), Contains("net.pth: tensor 'x': ") && Contains(message));
}

// Law: pickle and container must agree.
TEST_CASE("Storages that are not as the pickle says are refused") {
  TorchFile file = test::one_vector("x", kSix);
  SECTION("too short in the archive") {
    file.storages[0].bytes.resize(20);
    CHECK_THROWS_WITH(parse_torch(file.zip()), "net.pth: tensor 'x': storage '0' has 20 bytes; expected 24");
  }
  SECTION("truncated in the legacy container") {
    file.storages[0].bytes.resize(20);
    CHECK_THROWS_WITH(parse_torch(file.legacy()), Contains("20 bytes are left; expected 24: the file is truncated"));
  }
  SECTION("absent from the archive") {
    TorchFile other = test::one_vector("x", kSix);
    other.storages[0].key = "1";
    CHECK_THROWS_WITH(parse_torch(other.zip_around(file.object(false))),
                      "net.pth: tensor 'x': the archive has no member for storage '0'");
    CHECK_THROWS_WITH(parse_torch(other.legacy_around(file.object(true))),
                      "net.pth: PyTorch file: storage '1' belongs to no tensor");
  }
  SECTION("another count in the legacy container") {
    TorchFile other = test::one_vector("x", {1, 2, 3});
    CHECK_THROWS_WITH(parse_torch(other.legacy_around(file.object(true))),
                      "net.pth: PyTorch file: storage '0' has 3 elements; expected 6");
  }
  SECTION("counts that overflow") {
    for (const std::int64_t count : {INT64_MAX, INT64_MAX / 4 + 1, std::int64_t{-1}}) {
      file.storages[0].count = count;
      CHECK_THROWS_AS(parse_torch(file.zip()), FormatError);
      CHECK_THROWS_AS(parse_torch(file.legacy()), FormatError);
    }
  }
  SECTION("two types") {
    file.storages.push_back(file.storages[0]);
    file.storages[1].type = "IntStorage";
    file.views.push_back({"y", 1, 0, {1}, {1}});
    CHECK_THROWS_WITH(parse_torch(file.legacy()),
                      "net.pth: pickle: storage '0' is 6 float32 and 6 int32; expected one of them");
  }
  SECTION("damaged in the archive") {
    auto bytes = file.zip();
    bytes[parse_torch(bytes).tensors[0].origin->offset] ^= std::byte{1};
    CHECK_THROWS_WITH(parse_torch(bytes), Contains("net.pth: tensor 'x': member 'archive/data/0' has CRC"));
  }
}

// Oracle: the byte order that the file states.
TEST_CASE("Big-endian files are unsupported") {
  TorchFile file = test::one_vector("x", kSix);
  file.byteorder = "big";
  CHECK_THROWS_AS(parse_torch(file.zip()), UnsupportedError);
  CHECK_THROWS_WITH(parse_torch(file.zip()), "net.pth: numbers are big-endian; supported is little-endian");
  file.byteorder = "little";
  CHECK_NOTHROW(parse_torch(file.zip()));
  file.little_endian = false;
  CHECK_THROWS_AS(parse_torch(file.legacy()), UnsupportedError);
}

// Oracle: the storages put in: one of floats, one of a type without a known size.
TEST_CASE("Storages of unknown elements are passed over where that needs no size") {
  TorchFile file = test::one_vector("x", kSix);
  file.storages.push_back({"1", "Float8Storage", 3, std::vector<std::byte>(3)});
  file.views.push_back({"y", 1, 0, {3}, {1}});
  CHECK(parse_torch(file.zip()).tensors.at(0).values.to_float() == kSix);
  CHECK(parse_torch(file.zip()).unread.at(0).name == "y");
  CHECK_THROWS_AS(parse_torch(file.legacy()), UnsupportedError);
  CHECK_THROWS_WITH(parse_torch(file.legacy()),
                    "net.pth: storage '1': the element size of a 'torch.Float8Storage' is unknown");
}

// Oracle: the type, the function and the class put into each pickle.
TEST_CASE("What torch can save and we cannot read is named") {
  TorchFile file = test::one_vector("x", kSix);
  file.storages[0].type = "ComplexFloatStorage";
  CHECK_THROWS_AS(parse_torch(file.zip()), UnsupportedError);
  CHECK_THROWS_WITH(parse_torch(file.zip()),
                    Contains("net.pth: tensor 'x': the elements of a 'torch.ComplexFloatStorage' are not supported"));
  test::PickleBuilder pickle;
  pickle.op('}').text("x").global("torch._utils", "_rebuild_sparse_tensor").op(')').op('R').op('s');
  CHECK_THROWS_AS(parse_torch(file.zip_around(pickle.finish())), UnsupportedError);
  CHECK_THROWS_WITH(parse_torch(file.zip_around(pickle.finish())),
                    Contains("tensor 'x': tensors made by 'torch._utils._rebuild_sparse_tensor' are not supported"));
  test::PickleBuilder module;
  module.global("torch.nn.modules.container", "Sequential").op(')').byte(0x81);
  CHECK_THROWS_WITH(parse_torch(file.zip_around(module.finish())),
                    "net.pth: the pickle names 'torch.nn.modules.container.Sequential'; "
                    "only tensors, containers and numbers are read");
}
