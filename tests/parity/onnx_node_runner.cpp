// Runs ONNX models as the program would, for the parity suites: onnx_node_runner [plan] < CASES
// A case is one line, MODEL <tab> SHAPE <tab> INPUT <tab> OUTPUT; INPUT holds float32 values as they lie in memory,
// SHAPE is N,C,.... Writes OUTPUT.<k> for every output by the plain loops, and OUTPUT.plan for the first one by the
// compiled plan, image by image, where the network keeps images apart; with `plan` the latter alone (large networks).
// Prints one line a case: "ok", "ok plan", or what is wrong.
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "onnx/import.hpp"
#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/exec/reference.hpp"
#include "shiftnorm/formats/checkpoint.hpp"
#include "shiftnorm/graph/constants.hpp"

namespace {

using namespace shiftnorm;

std::vector<float> read_floats(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

void write_floats(const std::string& path, std::span<const float> values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
}

/// The plan's outputs, one image at a time; nothing where images are mixed.
std::optional<std::vector<float>> run_plan(const graph::Graph& graph, const Shape& shape,
                                           const std::vector<float>& input) {
  if (shape.rank() < 2 || shape[0] < 1) return std::nullopt;
  std::vector<std::int64_t> one = shape.extents();
  one[0] = 1;
  std::optional<graph::Graph> single;
  try {
    single = formats::resolve(formats::DynamicShapeGraph{graph, one, shape[0]}, Shape(one));
  } catch (const Error&) {
    return std::nullopt;
  }
  const graph::ValueId first = single->outputs().front();
  if (single->value(first).parameter || single->nodes().empty()) return std::nullopt;
  adapt::Engine engine(*single, {});
  adapt::Images images;
  images.count = static_cast<std::size_t>(shape[0]);
  images.load = [&](std::size_t index, std::span<float> dst) {
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(index * dst.size()), dst.size(), dst.begin());
  };
  return engine.infer(engine.source(), images, {}).values;
}

std::string run_case(const std::string& model, const Shape& shape, const std::string& source, const std::string& target,
                     bool loops) {
  const std::vector<std::byte> bytes = read_file(model);
  const formats::OnnxFile parsed = formats::parse_onnx(bytes);
  const formats::Neighbours alone{std::nullopt};
  formats::ExternalFiles files(alone);
  const formats::Imported imported = formats::import_onnx(parsed, files, formats::Weights::bound);
  const std::vector<float> input = read_floats(source);
  if (loops) {
    const graph::Graph graph = graph::resolve(imported.graph, shape);
    const std::vector<std::vector<float>> outputs = exec::run_reference(graph, input);
    for (std::size_t i = 0; i < outputs.size(); ++i) write_floats(target + "." + std::to_string(i), outputs[i]);
  }
  const std::optional<std::vector<float>> planned = run_plan(imported.graph, shape, input);
  if (planned) write_floats(target + ".plan", *planned);
  return planned ? "ok plan" : "ok";
}

}  // namespace

int main(int argc, char** argv) {
  const bool loops = argc < 2 || std::strcmp(argv[1], "plan") != 0;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream parts(line);
    std::string model, extents, source, target;
    std::getline(parts, model, '\t');
    std::getline(parts, extents, '\t');
    std::getline(parts, source, '\t');
    std::getline(parts, target, '\t');
    std::vector<std::int64_t> shape;
    std::istringstream numbers(extents);
    for (std::string one; std::getline(numbers, one, ',');) shape.push_back(std::stoll(one));
    try {
      std::cout << run_case(model, Shape(shape), source, target, loops) << '\n';
    } catch (const Error& error) {
      std::cout << error.what() << '\n';
    }
  }
  return 0;
}
