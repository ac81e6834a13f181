#include <catch2/catch.hpp>

#include "container/tar_builder.hpp"
#include "container/zip_builder.hpp"
#include "formats/torch_file.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;

namespace {

Checkpoint parse_any(const std::vector<std::byte>& bytes) { return parse_checkpoint(bytes, "f"); }

std::vector<std::byte> zip_of(const std::string& member) {
  test::ZipBuilder zip;
  zip.members.push_back({member, test::bytes_of("x")});
  return zip.build();
}

}  // namespace

// Oracle: the builder that made each file.
TEST_CASE("Formats are told by content, not by name") {
  const auto file = test::one_vector("x", {1});
  CHECK(parse_checkpoint(file.zip(), "a.tar").format == "pytorch-zip");
  CHECK(parse_checkpoint(file.legacy(), "a.safetensors").format == "pytorch-legacy");
  const std::vector<std::pair<std::string, Array>> arrays{{"x", Array(DType::i64, {3})}};
  const Checkpoint checkpoint = parse_checkpoint(container::write_safetensors(arrays), "a.pth");
  CHECK(checkpoint.format == "safetensors");
  CHECK(checkpoint.tensors[0].values.dtype() == DType::i64);
  CHECK(checkpoint.tensors[0].origin->strides == std::vector<std::int64_t>{1});
}

// Oracle: each format's signature, as its specification gives it.
TEST_CASE("What is known but not read is unsupported, by name") {
  const auto [bytes, message] = GENERATE(table<std::vector<std::byte>, std::string>({
      {zip_of("model.weights.h5"), "f: is a Keras archive (.keras) without its config.json and metadata.json"},
      {zip_of("x.npy"), "f: is a NumPy archive (.npz); expected a checkpoint"},
      {test::ByteWriter().text(std::string(512, '\0')).text("\x89HDF\r\n\x1a\n").bytes(),
       "f: HDF5: begins at byte 512, after a user block, which is not supported"},
      {test::TarBuilder().add("a/x.pth", {}).add("b", {}).finish(),
       "f: is a tar archive of a/x.pth, b, without the 'storages' of torch 0.1; unpack it first"},
      {test::bytes_of("\x1f\x8b\x08"), "f: is compressed by gzip (a packed folder, .tar.gz?), which is not supported"},
      {test::PickleBuilder().none().finish(), "f: is a bare pickle; expected what torch.save writes"},
      {test::bytes_of(std::string("\x1c\0\0\0TFL3", 8)), "f: is a TensorFlow Lite model"},
      // Version 1, then a MetaGraphDef with its facts; ONNX has the producer's name there.
      {test::bytes_of(std::string("\x08\x01\x12\x04\x0a\x02\x0a\0", 8)),
       "f: is the saved_model.pb of a TensorFlow SavedModel"},
      {test::bytes_of("\x0a\x10\x0a\x01x\x12\x0bPlaceholder"), "f: is a frozen TensorFlow graph"},
      {test::bytes_of(std::string(40, '\0') + "\x57\xfb\x80\x8b\x24\x75\x47\xdb"),
       "f: is the index of a TensorFlow checkpoint"},
  }));
  CHECK_THROWS_AS(parse_any(bytes), UnsupportedError);
  CHECK_THROWS_WITH(parse_any(bytes), Contains(message));
}

// Oracle: the files that TensorFlow and Keras write into such folders.
TEST_CASE("A folder in the place of a file is named as what it is") {
  const test::TempDir dir;
  const auto [inside, message] = GENERATE(table<std::string, std::string>({
      {"saved_model.pb", "is a folder of TensorFlow's SavedModel; expected a Keras model as one file"},
      {"ckpt.data-00000-of-00001", "is a folder of TensorFlow checkpoints; expected a Keras model"},
      {"model.weights.h5", "is the unpacked folder of a Keras archive"},
      {"readme.txt", "is a folder; expected the checkpoint's file"},
  }));
  std::filesystem::create_directory(dir.path() / "model");
  write_file(dir.path() / "model" / inside, test::bytes_of("x"));
  CHECK_THROWS_AS(read_checkpoint(dir.path() / "model"), UnsupportedError);
  CHECK_THROWS_WITH(read_checkpoint(dir.path() / "model"), Contains("model: " + message));
  CHECK_THROWS_WITH(read_architecture(dir.path() / "model/"), Contains(message));
}

// Oracle: what the bytes are: nothing, prose, an archive of prose.
TEST_CASE("Anything else is no checkpoint") {
  CHECK_THROWS_AS(parse_any({}), FormatError);
  CHECK_THROWS_WITH(parse_any({}), "f: is empty; expected a checkpoint");
  CHECK_THROWS_AS(parse_any(test::bytes_of("hello")), FormatError);
  CHECK_THROWS_WITH(
      parse_any(test::bytes_of("hello")),
      "f: is not a checkpoint of a known format; expected PyTorch (torch.save), safetensors, ONNX or Keras");
  CHECK_THROWS_AS(parse_any(zip_of("readme.txt")), FormatError);
  CHECK_THROWS_WITH(parse_any(zip_of("readme.txt")),
                    "f: is a zip archive without data.pkl; expected what torch.save writes");
  CHECK_THROWS_WITH(read_checkpoint("/nonexistent/net.pth"), "net.pth: no such file");
}
