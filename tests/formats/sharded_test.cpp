#include <catch2/catch.hpp>

#include "formats/torch_file.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using namespace shiftnorm::formats;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kIndex = R"({"metadata": {"total_size": 20, "note": "model-1-of-2.safetensors"},
  "weight_map": {"w": "model-1-of-2.safetensors",
                 "m": "model-2-of-2.bin"}})";

/// An index of one safetensors and one PyTorch shard.
void write_shards(const std::filesystem::path& folder, const std::string& index = kIndex) {
  const std::vector<std::pair<std::string, Array>> first{
      {"w", Array::from_floats(Shape{3}, std::vector<float>{1, 2, 3})}};
  write_file(folder / "model-1-of-2.safetensors", container::write_safetensors(first));
  write_file(folder / "model-2-of-2.bin", test::one_vector("m", {4, 5}).zip());
  write_file(folder / "model.safetensors.index.json", std::string_view(index));
}

std::string text_of(const OutputFile& file) { return std::string(as_text(file.bytes)); }

}  // namespace

// Oracle: the shards written by write_shards(); the index changed by hand.
TEST_CASE("Shards are read through their index and written back under new names", "[formats]") {
  const test::TempDir dir;
  write_shards(dir.path());
  const Checkpoint checkpoint = read_checkpoint(dir.path() / "model.safetensors.index.json");
  CHECK(checkpoint.format == "sharded");
  CHECK(checkpoint.find("w")->values.to_float() == std::vector<float>{1, 2, 3});
  CHECK(checkpoint.find("m")->values.to_float() == std::vector<float>{4, 5});

  const std::vector<Patch> patches{{"m", {-4, -5}}};
  const auto files = write_checkpoint(checkpoint, patches, "adapted.safetensors.index.json");
  REQUIRE(files.size() == 3);
  // The two values of weight_map and nothing else.
  CHECK(text_of(files[0]) == R"({"metadata": {"total_size": 20, "note": "model-1-of-2.safetensors"},
  "weight_map": {"w": "adapted-1-of-2.safetensors",
                 "m": "adapted-2-of-2.bin"}})");
  CHECK(files[1].name == "adapted-1-of-2.safetensors");
  CHECK(files[1].bytes == read_file(dir.path() / "model-1-of-2.safetensors"));
  CHECK(files[2].name == "adapted-2-of-2.bin");
  for (const OutputFile& file : files) write_file(dir.path() / file.name, file.bytes);
  const Checkpoint again = read_checkpoint(dir.path() / files[0].name);
  CHECK(again.find("m")->values.to_float() == std::vector<float>{-4, -5});
  CHECK(again.find("w")->values.to_float() == std::vector<float>{1, 2, 3});
}

// Law: no output has the name of an input in the same folder.
TEST_CASE("No shard that was read is overwritten", "[formats]") {
  const test::TempDir dir;
  write_shards(dir.path());
  const Checkpoint checkpoint = read_checkpoint(dir.path() / "model.safetensors.index.json");
  const auto same_stem = write_checkpoint(checkpoint, {}, "model.index.json");
  CHECK(same_stem[1].name == "adapted-model-1-of-2.safetensors");
  // Under its own name the index lies in another folder, and so do they.
  const auto same_name = write_checkpoint(checkpoint, {}, "model.safetensors.index.json");
  CHECK(same_name[0].bytes == checkpoint.bytes);
  CHECK(same_name[1].name == "model-1-of-2.safetensors");
}

// Oracle: the flaw of each index.
TEST_CASE("An index that does not fit its shards is refused", "[formats]") {
  const auto [index, message] = GENERATE(table<std::string, std::string>({
      {R"({"weight_map": {"w": "../../etc/passwd"}})", "refers to '../../etc/passwd'"},
      {R"({"weight_map": {"w": "/etc/passwd"}})", "refers to '/etc/passwd'"},
      {R"({"weight_map": {"w": "none.safetensors"}})", "refers to 'none.safetensors'; expected a regular file"},
      {R"({"weight_map": {"w": "model.safetensors.index.json"}})", "is an index; expected the tensors that it names"},
      {R"({"weight_map": {"v": "model-1-of-2.safetensors"}})", "holds tensor 'w', which the index does not name"},
      {R"({"weight_map": {"w": "model-1-of-2.safetensors", "x": "model-1-of-2.safetensors"}})",
       "names 2 tensors; the files beside it hold 1"},
      {R"({"weight_map": 3})", "model.safetensors.index.json: "},
  }));
  CAPTURE(index);
  const test::TempDir dir;
  write_shards(dir.path(), index);
  CHECK_THROWS_AS(read_checkpoint(dir.path() / "model.safetensors.index.json"), Error);
  CHECK_THROWS_WITH(read_checkpoint(dir.path() / "model.safetensors.index.json"), Contains(message));
}
