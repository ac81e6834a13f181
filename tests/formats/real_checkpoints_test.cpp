#include <algorithm>
#include <catch2/catch.hpp>

#include "shiftnorm/container/zip.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;

namespace {

struct Golden {
  std::string file, format;
  std::size_t tensors;
  std::string name;
  Shape shape;
  DType dtype;
  std::string sha256;
};

bool is_statistic(const std::string& name) { return name.ends_with("running_mean") || name.ends_with("running_var"); }

}  // namespace

// Oracle: PyTorch 1.13: o = torch.load(file, map_location='cpu'); t = o.get('state_dict', o)[name];
// hashlib.sha256(t.numpy().tobytes()).hexdigest()
TEST_CASE("Published checkpoints hold what PyTorch reads in them") {
  const auto shared = test::shared_data("Published checkpoints hold what PyTorch reads in them");
  if (!shared) return;
  const Golden goldens[] = {
      {"checkpoints/resnet20-12fca82f.th", "pytorch-legacy", 97, "module.bn1.running_var", Shape{16}, DType::f32,
       "f9f165a0e7ccb58f2c53568bfd46b5393558083fe646b763dd5ec4022811af48"},
      {"checkpoints/resnet56-4bfd9763.th", "pytorch-legacy", 277, "module.layer2.4.conv1.weight", Shape{32, 32, 3, 3},
       DType::f32, "200520107c30500c0bbe0b163424aeba05a5e49a3b205e05b076099129b7fc52"},
      {"variants/resnet20_fp16.pth", "pytorch-zip", 116, "layer3.2.bn2.running_mean", Shape{64}, DType::f16,
       "db65c6d08df17af7a34865577f2d4ee9f75b369707ef5688e9ababf454b1ef3a"},
      {"variants/resnet20_training.pth.tar", "pytorch-zip", 116, "module.linear.weight", Shape{10, 64}, DType::f32,
       "a16928bec91464d4dcc913d19d12e0c0ded575af18a3eaf831b11447064c0ac5"},
  };
  for (const Golden& golden : goldens) {
    CAPTURE(golden.file);
    const Checkpoint checkpoint = read_checkpoint(*shared / "data" / golden.file);
    CHECK(checkpoint.format == golden.format);
    CHECK(checkpoint.tensors.size() == golden.tensors);
    const NamedTensor* tensor = checkpoint.find(golden.name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->values.shape() == golden.shape);
    CHECK(tensor->values.dtype() == golden.dtype);
    CHECK(sha256_hex(tensor->values.bytes()) == golden.sha256);
  }
}

// Oracle: one network in four containers: the values must be the same bits.
TEST_CASE("One network in every container is the same network") {
  const auto shared = test::shared_data("One network in every container is the same network");
  if (!shared) return;
  const Checkpoint reference = read_checkpoint(*shared / "data/variants/resnet20.safetensors");
  for (const std::string file : {"resnet20_zip.pth", "resnet20_legacy.pth", "resnet20_training.pth.tar"}) {
    CAPTURE(file);
    const Checkpoint checkpoint = read_checkpoint(*shared / "data/variants" / file);
    CHECK(checkpoint.tensors.size() == reference.tensors.size());
    for (const NamedTensor& tensor : checkpoint.tensors) {
      const std::string name = tensor.name.starts_with("module.") ? tensor.name.substr(7) : tensor.name;
      const NamedTensor* same = reference.find(name);
      REQUIRE(same != nullptr);
      CHECK(std::ranges::equal(tensor.values.bytes(), same->values.bytes()));
    }
  }
}

// Law: every byte outside the patched vectors (and the CRCs of their zip members) stays as it was.
TEST_CASE("Real checkpoints are written back byte for byte except the statistics") {
  const auto shared = test::shared_data("Real checkpoints are written back byte for byte except the statistics");
  if (!shared) return;
  for (const std::string file :
       {"checkpoints/resnet20-12fca82f.th", "variants/resnet20_zip.pth", "variants/resnet20_legacy.pth",
        "variants/resnet20_training.pth.tar", "variants/resnet20_fp16.pth", "variants/resnet20.safetensors"}) {
    CAPTURE(file);
    const Checkpoint checkpoint = read_checkpoint(*shared / "data" / file);
    std::vector<bool> allowed(checkpoint.bytes.size(), false);
    const auto allow = [&allowed](std::uint64_t at, std::uint64_t size) {
      if (at != 0) std::fill_n(allowed.begin() + static_cast<std::ptrdiff_t>(at), size, true);
    };
    std::vector<Patch> patches;
    for (const NamedTensor& tensor : checkpoint.tensors) {
      if (!is_statistic(tensor.name)) continue;
      Patch patch{tensor.name, tensor.values.to_double()};
      for (double& v : patch.values) v = v * 0.5 + 1;
      patches.push_back(std::move(patch));
      allow(tensor.origin->offset, tensor.values.bytes().size());
    }
    CHECK(patches.size() == 38);
    const auto written = patched(checkpoint, patches);
    if (checkpoint.format == "pytorch-zip") {
      for (const container::ZipMember& member : container::index_zip(checkpoint.bytes)) {
        if (!allowed[member.data_offset]) continue;
        for (const std::uint64_t at :
             {member.central_crc_offset, member.local_crc_offset, member.descriptor_crc_offset})
          allow(at, 4);
      }
    }
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < written.size(); ++i)
      wrong += written[i] != checkpoint.bytes[i] && !allowed[i] ? 1U : 0U;
    CHECK(wrong == 0);
    const Checkpoint again = parse_checkpoint(written, checkpoint.file_name);
    for (const NamedTensor& tensor : checkpoint.tensors) {
      CAPTURE(tensor.name);
      std::vector<double> expected = tensor.values.to_double();
      std::vector<std::byte> bytes(tensor.values.bytes().begin(), tensor.values.bytes().end());
      if (is_statistic(tensor.name)) {
        for (double& v : expected) v = v * 0.5 + 1;
        encode_floats(expected, tensor.values.dtype(), bytes);
      }
      CHECK(std::ranges::equal(again.find(tensor.name)->values.bytes(), bytes));
    }
  }
}

TEST_CASE("Files that hold more than weights are refused by what they are") {
  const auto shared = test::shared_data("Files that hold more than weights are refused by what they are");
  if (!shared) return;
  const auto [file, message] = GENERATE(table<std::string, std::string>({
      {"variants/resnet20_torchscript.pt", "resnet20_torchscript.pt: is a TorchScript archive"},
      {"variants/sequential_module.pth", "sequential_module.pth: holds a whole pickled module"},
      {"keras/sign_mnist.keras", "sign_mnist.keras: is a Keras archive"},
      {"keras/tiny_resnet8_cifar10.h5", "tiny_resnet8_cifar10.h5: is an HDF5 file"},
  }));
  CHECK_THROWS_AS(read_checkpoint(*shared / "data" / file), UnsupportedError);
  CHECK_THROWS_WITH(read_checkpoint(*shared / "data" / file), Contains(message));
}
