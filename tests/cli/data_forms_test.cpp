// Folders and tables as public data sets have them. Oracle: the network is made so that an image of grey 20 k has its
// largest output at k, so that every score follows from the labels that the test writes.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using Catch::Matchers::Contains;
using test::Call;

namespace {

namespace fs = std::filesystem;

graph::ValueId parameter(graph::Graph& graph, const std::string& name, const Shape& shape, std::vector<float> values) {
  const graph::ValueId id = graph.add_parameter(name, shape);
  graph.value(id).tensor = Tensor(shape, std::move(values));
  return id;
}

/// [3, 8, 8] to one score a class: -(x - k/255 * 20)^2 but for what is the same for every class. Without classes the
/// normalised image itself.
void write_network(const fs::path& file, int classes) {
  graph::Graph graph;
  const graph::ValueId x = graph.add_input("x", {1, 3, 8, 8});
  const std::vector<float> ones(3, 1), zeros(3, 0);
  const std::vector<graph::ValueId> norm{x, parameter(graph, "w", {3}, ones), parameter(graph, "b", {3}, zeros),
                                         parameter(graph, "m", {3}, zeros), parameter(graph, "v", {3}, ones)};
  graph::ValueId at = graph.add("BatchNormalization", "bn", norm, {{"epsilon", 1e-9F}});
  if (classes > 0) {
    std::vector<float> weights, biases;
    for (int k = 0; k < classes; ++k) {
      const auto grey = static_cast<float>(k) * 20 / 255;
      weights.insert(weights.end(), 3, 2000 * grey / 3);
      biases.push_back(-1000 * grey * grey);
    }
    at = graph.add("Flatten", "flat", {graph.add("GlobalAveragePool", "pool", {at})});
    at = graph.add("Gemm", "fc",
                   {at, parameter(graph, "W", {classes, 3}, weights), parameter(graph, "B", {classes}, biases)},
                   {{"transB", std::int64_t{1}}});
  }
  graph.set_outputs({at});
  graph.value(at).name = std::string("y");
  graph::infer_shapes(graph);
  write_file(file, formats::write_onnx(graph, "test", {}));
}

/// An uncompressed BMP of one grey.
void write_grey(const fs::path& file, int k) {
  fs::create_directories(file.parent_path());
  std::string bytes = "BM";
  const auto put = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(54 + 3 * 64, 4);
  put(0, 4);
  put(54, 4);
  put(40, 4);
  put(8, 4);
  put(8, 4);
  put(1, 2);
  put(24, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);
  bytes += std::string(std::size_t{3} * 64, static_cast<char>(20 * k));
  std::ofstream(file, std::ios::binary) << bytes;
}

/// skin/ISIC_0 .. 5 of classes 0, 1, 2 in turn, and networks of 3 and 12 classes.
struct Place {
  test::TempDir dir;
  Place() {
    write_network(dir.path() / "net3.onnx", 3);
    write_network(dir.path() / "net12.onnx", 12);
    write_network(dir.path() / "maps.onnx", 0);
    write_file(dir.path() / "steps.yaml", std::string("- {convert: RGB}\n- {to_float: {scale: 255}}\n"));
    for (int i = 0; i < 6; ++i) write_grey(dir.path() / "skin" / fmt::format("ISIC_{}.bmp", i), i % 3);
  }
  [[nodiscard]] Call evaluate(const std::string& network, const std::string& data,
                              std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"evaluate", network, "--data", data, "--preprocess", "steps.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return test::shiftnorm(dir.path(), arguments);
  }
  [[nodiscard]] Call labelled(const std::string& text, std::vector<std::string> more = {},
                              const std::string& name = "t.csv") const {
    write_file(dir.path() / name, text);
    more.insert(more.begin(), {"--labels", name});
    return evaluate("net3.onnx", "skin", std::move(more));
  }
};

void check_accuracy(const Call& call, const std::string& percent) {
  INFO(call.out << call.err);
  CHECK(call.exit == 0);
  CHECK_THAT(call.out, Contains("source  " + percent + " ["));
}

void check_refused(const Call& call, int exit, const std::string& line) {
  INFO(call.out << call.err);
  CHECK(call.exit == exit);
  CHECK(call.out.empty());
  CHECK_THAT(call.err, Contains(line));
}

/// One row for each image.
std::string rows(const std::string& head, const std::string& each, const std::vector<std::string>& classes) {
  std::string text = head + "\n";
  for (int i = 0; i < 6; ++i)
    text += fmt::format(fmt::runtime(each), fmt::arg("i", i), fmt::arg("c", classes[static_cast<std::size_t>(i % 3)])) +
            "\n";
  return text;
}

const std::vector<std::string> kNames{"bkl", "mel", "nv"};

}  // namespace

// Oracle: folder k holds grey 20 k, which the network answers with class k.
TEST_CASE("numeric class folders are taken in their order, and the outputs are told", "[cli]") {
  const Place place;
  std::string table = "path,label\n";
  for (int k = 0; k < 12; ++k) {
    write_grey(place.dir.path() / "numeric" / std::to_string(k) / "a.bmp", k);
    table += fmt::format("{0}/a.bmp,{0}\n", k);
  }
  const Call folders = place.evaluate("net12.onnx", "numeric");
  check_accuracy(folders, "100.0");
  CHECK_THAT(folders.err, Contains("outputs by class: 0 is '0', 1 is '1', 2 is '2'") &&
                              Contains("class folders are numbers and taken in numerical order"));
  write_file(place.dir.path() / "numeric.csv", table);
  check_accuracy(place.evaluate("net12.onnx", "numeric", {"--labels", "numeric.csv"}), "100.0");
  // The order of text, on request, is right for two of twelve: 0 and 1.
  check_accuracy(place.evaluate("net12.onnx", "numeric", {"--classes", "0,1,10,11,2,3,4,5,6,7,8,9"}), "16.7");
  check_refused(place.evaluate("net12.onnx", "numeric", {"--classes", "0,1,2,3,4,5,6,7,8,9,10,10"}), 2,
                "--classes: '10' is named twice");
}

// Oracle: the network above: joined rightly, every image is right.
TEST_CASE("tables as they come are joined, or say what they lack", "[cli]") {
  const Place place;
  check_accuracy(place.labelled(rows("path,label", "ISIC_{i}.bmp,{c}", kNames)), "100.0");
  check_accuracy(place.labelled(rows(",path,label", "{i},ISIC_{i}.bmp,{c}", kNames)), "100.0");
  check_accuracy(place.labelled(rows("sep=;\npath;label", "ISIC_{i}.bmp;{c}", kNames)), "100.0");
  check_accuracy(
      place.labelled(rows("path,Finding Labels,", "ISIC_{i}.bmp,{c},", kNames), {"--label", "Finding Labels"}),
      "100.0");
  check_accuracy(place.labelled(rows("path,label", "ISIC_{i}.bmp,{c}", {"0.0", "1.0", "2.0"})), "100.0");
  std::string val;
  for (int i = 0; i < 6; ++i) val += fmt::format("ISIC_{}.bmp {}\n", i, i % 3);
  check_accuracy(place.labelled(val, {}, "val.txt"), "100.0");
  const Call named = place.labelled(rows("filename,label", "ISIC_{i}.bmp,{c}", kNames), {"--key", "filename"});
  check_accuracy(named, "100.0");
  CHECK_THAT(named.err, Contains("t.csv, column 'filename' as path: 6 images matched"));
  const Call ham = place.labelled(rows("lesion_id,image_id,dx", "HAM_0,ISIC_{i},{c}", kNames),
                                  {"--key", "image_id", "--label", "dx"});
  check_accuracy(ham, "100.0");
  CHECK_THAT(ham.err, Contains("column 'image_id' as path without its extension: 6 images matched"));
  // What is missing is not a third class.
  check_refused(place.labelled(rows("path,label", "ISIC_{i}.bmp,{c}", {"bkl", "mel", "NaN"})), 2,
                "2 classes (bkl, mel); expected 3");
  check_refused(place.labelled("path,MEL,NV,BCC\nelsewhere/ISIC_0.bmp,1,0,0\n", {"--label", "MEL,NV,BCC"}), 2,
                "t.csv: none of its 1 rows names one of the 6 images by column 'path'");
  check_refused(place.labelled(rows("path,label", "ISIC_{i}.bmp,{c}", {"1", "2", "3"})), 2,
                "no image has label 0: if they count from 1, classes: [1, .., 3] says so");
  check_accuracy(place.labelled(rows("path,label", "ISIC_{i}.bmp,{c}", {"1", "2", "3"}), {"--classes", "1,2,3"}),
                 "100.0");
}

// Oracle: by hand: the findings of each row.
TEST_CASE("several findings in one column are taken apart on request", "[cli]") {
  const Place place;
  const std::string table = rows("path,Finding Labels", "ISIC_{i}.bmp,{c}", {"Mass", "Mass|Nodule", "No Finding"});
  const Call whole = place.labelled(table, {"--label", "Finding Labels"});
  check_accuracy(whole, "100.0");
  CHECK_THAT(whole.err, Contains("split: '|'} (--label-split '|') splits them"));
  const Call apart = place.labelled(table, {"--label", "Finding Labels", "--label-split", "|", "--json"});
  INFO(apart.err);
  REQUIRE(apart.exit == 0);
  const container::Json json = container::parse_json(apart.out);
  const auto& findings = json.at("findings").as_array();
  REQUIRE(findings.size() == 3);
  const std::vector<std::pair<std::string, std::int64_t>> expected{{"Mass", 4}, {"No Finding", 2}, {"Nodule", 2}};
  for (std::size_t f = 0; f < 3; ++f) {
    CHECK(findings[f].at("name").as_string() == expected[f].first);
    CHECK(findings[f].at("known").as_integer() == 6);
    CHECK(findings[f].at("positive").as_integer() == expected[f].second);
  }
  check_refused(
      place.labelled(table, {"--label", "Finding Labels", "--label-split", "|", "--label-none", "No Finding"}), 2,
      "2 classes (Mass, Nodule); expected 3");
  check_refused(place.labelled(table, {"--label-none", "x"}), 2, "--label-none: expected --label-split");
  check_refused(place.labelled(table, {"--label", "a,b", "--label-split", "|"}), 2, "expected one column as --label");
}

// Oracle: the model's output of 3 x 8 x 8.
TEST_CASE("outputs that are maps are said to be maps", "[cli]") {
  const Place place;
  const Call evaluated = place.evaluate("maps.onnx", "skin");
  INFO(evaluated.err);
  CHECK(evaluated.exit == 0);
  CHECK_THAT(evaluated.out, Contains("the network gives [3, 8, 8] for each image, not a vector of class scores"));
  write_file(place.dir.path() / "t.csv", rows("path,label", "ISIC_{i}.bmp,{c}", kNames));
  const auto yaml = [&](const std::string& more) {
    write_file(place.dir.path() / "x.yaml",
               "model: {checkpoint: maps.onnx}\npreprocess: steps.yaml\ndata: {target: {path: skin" + more +
                   "}}\nmodes: [source, adabn]\n");
    fs::remove_all(place.dir.path() / "runs");
    return test::shiftnorm(place.dir.path(), {"run", "x.yaml"});
  };
  const Call run = yaml("");
  INFO(run.err);
  CHECK(run.exit == 0);
  CHECK_THAT(run.out, Contains("the outputs of 2 modes are not scored") && Contains("--outputs FILE.safetensors"));
  CHECK(fs::exists(place.dir.path() / "runs" / "x" / "stats" / "adabn.bnstats"));
  check_refused(yaml(", labels: t.csv, label: label"), 2,
                "not a vector of class scores, so labels have nothing to score");
  check_refused(place.evaluate("maps.onnx", "skin", {"--labels", "t.csv", "--label", "label"}), 2,
                "labels have nothing to score");
}
