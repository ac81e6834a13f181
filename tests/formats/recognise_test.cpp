#include <catch2/catch.hpp>

#include "container/zip_builder.hpp"
#include "formats/torch_file.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;

namespace {

Checkpoint parse(const std::vector<std::byte>& bytes) { return parse_checkpoint(bytes, "f"); }

std::vector<std::byte> zip_of(const std::string& member) {
  test::ZipBuilder zip;
  zip.members.push_back({member, test::bytes_of("x")});
  return zip.build();
}

}  // namespace

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

TEST_CASE("What is known but not read is unsupported, by name") {
  const auto [bytes, message] = GENERATE(table<std::vector<std::byte>, std::string>({
      {zip_of("net/constants.pkl"),
       "f: is a TorchScript archive (torch.jit.save), which is not read yet; save the module's state_dict()"},
      {zip_of("model.weights.h5"), "f: is a Keras archive (.keras), which is not read yet"},
      {zip_of("x.npy"), "f: is a NumPy archive (.npz); expected a checkpoint"},
      {test::bytes_of("\x89HDF\r\n\x1a\n"), "f: is an HDF5 file (Keras?), which is not read yet"},
      {test::bytes_of(std::string(512, '\0') + "\x89HDF\r\n\x1a\n"),
       "f: is an HDF5 file (Keras?), which is not read yet"},
      {test::bytes_of(std::string(257, 'x') + "ustar"), "f: is a tar archive"},
      {test::PickleBuilder().none().finish(), "f: is a bare pickle; expected what torch.save writes"},
  }));
  CHECK_THROWS_AS(parse(bytes), UnsupportedError);
  CHECK_THROWS_WITH(parse(bytes), Contains(message));
}

TEST_CASE("Anything else is no checkpoint") {
  CHECK_THROWS_AS(parse({}), FormatError);
  CHECK_THROWS_WITH(parse({}), "f: is empty; expected a checkpoint");
  CHECK_THROWS_AS(parse(test::bytes_of("hello")), FormatError);
  CHECK_THROWS_WITH(parse(test::bytes_of("hello")),
                    "f: is no checkpoint of a known format; expected PyTorch (torch.save), safetensors or ONNX");
  CHECK_THROWS_AS(parse(zip_of("readme.txt")), FormatError);
  CHECK_THROWS_WITH(parse(zip_of("readme.txt")),
                    "f: is a zip archive without data.pkl; expected what torch.save writes");
  CHECK_THROWS_WITH(read_checkpoint("/nonexistent/net.pth"), "net.pth: no such file");
}
