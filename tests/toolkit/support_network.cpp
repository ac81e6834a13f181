#include "support_network.hpp"

#include <cmath>
#include <random>

#include "shiftnorm/container/safetensors.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/zoo/zoo.hpp"
#include "support/npy_file.hpp"

namespace shiftnorm::test {
namespace {

/// Means near 0, variances and gammas near 1, weights as He's initialisation has them.
std::vector<float> values_for(const std::string& name, const Shape& shape, std::mt19937& random) {
  const bool positive = name.ends_with("running_var") || (shape.rank() == 1 && name.ends_with("weight"));
  const double fan_in = shape.rank() > 1 ? static_cast<double>(shape.elements_from(1)) : 25;
  std::normal_distribution<double> normal(0, std::sqrt(2 / fan_in));
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& v : values) v = static_cast<float>(positive ? 0.5 + std::abs(normal(random)) : normal(random));
  return values;
}

}  // namespace

Tensors random_network(const std::string& architecture, unsigned seed) {
  const graph::Graph graph = zoo::architecture(architecture).build({});
  std::mt19937 random(seed);
  Tensors tensors;
  for (const graph::ValueId id : graph.parameters()) {
    const graph::Value& value = graph.value(id);
    if (value.tensor) continue;
    tensors.emplace_back(value.name, Array::from_floats(*value.shape, values_for(value.name, *value.shape, random)));
  }
  return tensors;
}

void write_random_network(const std::filesystem::path& file, const std::string& architecture,
                          const std::string& prefix) {
  Tensors tensors = random_network(architecture);
  for (auto& [name, values] : tensors) name.insert(0, prefix);
  write_file(file, container::write_safetensors(tensors));
}

void write_random_arrays(const std::filesystem::path& file, std::int64_t count, std::int64_t side) {
  std::mt19937 random(5);
  Array images(DType::u8, Shape{count, 3, side, side});
  for (std::byte& b : images.bytes()) b = static_cast<std::byte>(random() & 0xff);
  write_file(file, shiftnorm::test::write_npy(images));
}

}  // namespace shiftnorm::test
