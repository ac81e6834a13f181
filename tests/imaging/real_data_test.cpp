#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "support/near.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::imaging;

// Oracle: the first eight shifted images as PyTorch's script had them (shared oracle cifar_resnet.py): pixels to the
// bit, input to 1e-6 (float32 arithmetic in the same order).
TEST_CASE("Real images reach the network as in PyTorch", "[imaging]") {
  const auto shared = shiftnorm::test::shared_data("Real images reach the network as in PyTorch");
  if (!shared) return;
  const auto golden = container::read_safetensors(read_file(*shared / "data/golden/resnet20_500.safetensors"));
  const auto pixels = golden.at("shifted_pixels_first8").bytes();
  const std::vector<float> input = golden.at("shifted_input_first8").to_float();

  DatasetOptions options;
  options.limit.per_class = 8;
  const std::shared_ptr<const Dataset> data = open_dataset((*shared / "data/cifar10-noise/test").string(), options);
  REQUIRE(data->classes().size() == 10);
  REQUIRE(data->samples().size() == 80);
  const SampleStore store(data, preset("cifar10"), {3, 32, 32}, {.threads = 2}, {});
  REQUIRE(store.bad().empty());
  constexpr std::size_t kValues = std::size_t{3} * 32 * 32;
  std::vector<float> loaded(kValues);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(store.sample(i).id.starts_with("airplane/"));
    const Image image = data->decode(i);
    bool same = image.pixels.size() == kValues;
    for (std::size_t p = 0; same && p < kValues; ++p)
      same = image.pixels[p] == std::to_integer<std::uint16_t>(pixels[i * kValues + p]);
    CHECK(same);
    store.load(i, loaded);
    const auto expected = input.begin() + static_cast<std::ptrdiff_t>(i * kValues);
    CHECK_THAT(shiftnorm::test::as_doubles(loaded),
               shiftnorm::test::EachNear(std::vector<double>(expected, expected + kValues), 1e-6));
  }
}

// Oracle: PIL 9.4 over all 2000 JPEGs, in sorted order:
// python3 -c "import glob,hashlib,numpy as np;from PIL import Image;h=hashlib.sha256()
// [h.update(np.asarray(Image.open(f).convert('RGB')).tobytes()) for f in
// sorted(glob.glob('cifar10/test/*/*'))];print(h.hexdigest())"
TEST_CASE("Two thousand real JPEGs decode to PIL's pixels", "[imaging]") {
  const auto shared = shiftnorm::test::shared_data("Two thousand real JPEGs decode to PIL's pixels");
  if (!shared) return;
  const auto data = open_dataset((*shared / "data/cifar10/test").string(), {});
  REQUIRE(data->samples().size() == 2000);
  Sha256 hash;
  for (std::size_t i = 0; i < 2000; ++i) {
    std::string bytes;
    for (const std::uint16_t v : data->decode(i).pixels) bytes += static_cast<char>(v);
    hash.add(std::string_view(bytes));
  }
  CHECK(hash.hex() == "f5d9157031699e3379050767aa68f8c79f1e5afde7796801672396c314c8ab2e");
}
