#include "fixture.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <random>
#include <vector>

#include "process.hpp"
#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/zoo/zoo.hpp"

namespace shiftnorm::test {
namespace {

constexpr int kClasses = 10, kSide = 32;

void write_network(const std::filesystem::path& file) {
  const graph::Graph graph = zoo::architecture("cifar_resnet20").build({});
  std::mt19937 random(3);
  std::vector<std::pair<std::string, Array>> arrays;
  for (const graph::ValueId id : graph.parameters()) {
    const graph::Value& value = graph.value(id);
    if (value.tensor) continue;
    const Shape& shape = *value.shape;
    const double fan_in = shape.rank() > 1 ? static_cast<double>(shape.elements_from(1)) : 25;
    std::normal_distribution<double> normal(0, std::sqrt(2 / fan_in));
    const bool positive = value.name.ends_with("running_var") || (shape.rank() == 1 && value.name.ends_with("weight"));
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(positive ? 0.5 + std::abs(normal(random)) : normal(random));
    arrays.emplace_back(value.name, Array::from_floats(shape, values));
  }
  write_file(file, container::write_safetensors(arrays));
}

void put(std::string& bytes, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
}

}  // namespace

void write_bmp(const std::filesystem::path& file, int width, int height, unsigned seed) {
  constexpr std::uint32_t kHeaders = 14 + 40;
  const auto row = static_cast<std::uint32_t>((width * 3 + 3) / 4 * 4);
  const std::uint32_t pixels = row * static_cast<std::uint32_t>(height);
  std::string bytes = "BM";
  put(bytes, kHeaders + pixels, 4);
  put(bytes, 0, 4);
  put(bytes, kHeaders, 4);
  put(bytes, 40, 4);
  put(bytes, static_cast<std::uint32_t>(width), 4);
  put(bytes, static_cast<std::uint32_t>(height), 4);
  put(bytes, 1, 2);   // planes
  put(bytes, 24, 2);  // bits per pixel
  put(bytes, 0, 4);   // uncompressed
  put(bytes, pixels, 4);
  for (int i = 0; i < 4; ++i) put(bytes, 0, 4);  // resolution, palette
  std::mt19937 random(seed);
  for (std::uint32_t i = 0; i < pixels; ++i) bytes += static_cast<char>(random() & 0xff);
  std::ofstream(file, std::ios::binary) << bytes;  // not write_file: its flush to disk would be most of the tests' time
}

Workplace::Workplace(int per_class) {
  write_network(path() / "net.safetensors");
  for (int c = 0; c < kClasses; ++c) {
    const std::filesystem::path folder = path() / "images" / std::string(1, static_cast<char>('a' + c));
    std::filesystem::create_directories(folder);
    for (int i = 0; i < per_class; ++i)
      write_bmp(folder / (std::to_string(i) + ".bmp"), kSide, kSide, static_cast<unsigned>(100 * c + i));
  }
}

void Workplace::write_yaml(const std::string& name, const std::string& modes, const std::string& more) const {
  write_file(path() / name,
             "seed: 3\nmodel: {checkpoint: net.safetensors, architecture: cifar_resnet20}\npreprocess: cifar10\n"
             "data: {target: {path: images}}\nmodes: " +
                 modes + "\nevaluate: {interval: {resamples: 200}}\n" + more);
}

Call done(const Workplace& place, std::vector<std::string> arguments) {
  Call call = shiftnorm(place.path(), std::move(arguments));
  INFO(call.err);
  REQUIRE(call.exit == 0);
  return call;
}

container::Json json_of(const Call& call) {
  INFO(call.err);
  REQUIRE(call.exit == 0);
  return container::parse_json(call.out);
}

container::Json json_at(const std::filesystem::path& file) { return container::parse_json(as_text(read_file(file))); }

void check_refused(const Workplace& place, const std::vector<std::string>& arguments, int exit,
                   const std::string& line) {
  const std::vector<std::string> before = files_below(place.path());
  const Call call = shiftnorm(place.path(), arguments);
  CHECK(call.exit == exit);
  CHECK(call.out.empty());
  CHECK(std::ranges::count(call.err, '\n') == 1);
  CHECK_THAT(call.err, Catch::Matchers::Contains(line));
  CHECK(call.err.starts_with("shiftnorm: "));
  CHECK(files_below(place.path()) == before);
}

}  // namespace shiftnorm::test
