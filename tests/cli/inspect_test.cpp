#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "../imaging/dicom_support.hpp"
#include "fixture.hpp"
#include "process.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/formats/convert.hpp"
#include "shiftnorm/graph/shapes.hpp"
#include "support/npy_file.hpp"

using namespace shiftnorm;
using container::Json;
using imaging::test::TinyObject;
using test::Call;

namespace {

namespace fs = std::filesystem;

/// Three CR images of two patients and stations, an ultrasound image, and one cut short. 12 bits, values 0 to 255.
void put_mixed_archive(const fs::path& root) {
  fs::create_directories(root);
  std::vector<std::uint16_t> values;
  for (std::uint16_t p = 0; p < 256; ++p) values.push_back(p);
  for (int i = 0; i < 5; ++i) {
    TinyObject tiny(16, 16, values);
    const std::string number = std::to_string(i);
    tiny.text(0x00080018, "UI", "1.2.777." + number).text(0x0020000d, "UI", "1.2.777777." + std::to_string(i / 2));
    tiny.text(0x0020000e, "UI", "1.2.777777.9").text(0x00100020, "LO", "MARKER" + std::to_string(i % 2));
    tiny.text(0x00081010, "SH", "MARKER" + std::to_string(i % 2)).text(0x00080080, "LO", "MARKER");
    tiny.text(0x00080070, "LO", "Maker  of Scanners").text(0x00081090, "LO", "X1");
    if (i == 3) tiny.text(0x00080060, "CS", "US");
    std::vector<std::byte> bytes = tiny.bytes();
    if (i == 4) bytes.resize(bytes.size() - 100);
    write_file(root / ("MARKER" + number), bytes);
  }
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

std::int64_t sum(const Json& counts) {
  std::int64_t all = 0;
  for (const Json& n : counts.as_array()) all += n.as_integer();
  return all;
}

}  // namespace

// Oracle: how the archive is made.
TEST_CASE("inspect counts what a DICOM archive holds", "[cli]") {
  const test::Workplace place(0);
  put_mixed_archive(place / "archive");
  const Json json = json_of(test::shiftnorm(place.path(), {"inspect", "archive", "--json"}));
  const Json& counts = json.at("counts");
  CHECK(counts.at("images").as_integer() == 4);
  CHECK(counts.at("bad").as_integer() == 1);
  CHECK(counts.at("patients").as_integer() == 2);
  CHECK(counts.at("studies").as_integer() == 2);
  CHECK(counts.at("series").as_integer() == 1);
  CHECK(counts.at("frames").as_integer() == 4);
  CHECK(counts.at("modalities").at("CR").as_integer() == 3);
  CHECK(counts.at("modalities").at("US").as_integer() == 1);
  CHECK(counts.at("photometrics").at("MONOCHROME2").as_integer() == 4);
  CHECK(counts.at("bits_stored").at("12").as_integer() == 4);
  CHECK(counts.at("scanners").at("maker of scanners, x1").as_integer() == 4);
  CHECK(counts.at("stations").at("domain-1").as_integer() == 2);
  CHECK(counts.at("stations").at("domain-2").as_integer() == 2);
  CHECK(counts.at("institutions").at("domain-1").as_integer() == 4);
  CHECK(counts.at("bad_because").at("truncated").as_integer() == 1);
  CHECK(json.at("bad").as_array().at(0).at("id").as_string().size() == 16);
  const Json& before = json.at("histograms").at("before").as_array().at(0);
  CHECK(before.at("name").as_string() == "CR");
  CHECK(sum(before.at("counts")) == 3 * 256);
  CHECK(before.at("width").as_number() == 1);
  CHECK(before.at("max").as_number() == 255);
  CHECK(before.at("mean").as_number() == 127.5);
  CHECK(json.at("histograms").at("after").as_array().empty());
}

// Law: no marker of a site in any output unless it is asked for.
TEST_CASE("inspect names sites only when told to", "[cli]") {
  const test::Workplace place(0);
  put_mixed_archive(place / "archive");
  const Call hidden =
      test::shiftnorm(place.path(), {"inspect", "archive", "--domain", "StationName", "--log-level", "debug"});
  CHECK(hidden.exit == 0);
  CHECK((hidden.out + hidden.err).find("MARKER") == std::string::npos);
  CHECK((hidden.out + hidden.err).find("marker") == std::string::npos);
  CHECK_THAT(hidden.out, Catch::Matchers::Contains("explicit little endian (1.2.840.10008.1.2.1)"));
  const Call shown = test::shiftnorm(place.path(), {"inspect", "archive", "--show-domains"});
  CHECK_THAT(shown.out, Catch::Matchers::Contains("marker0"));
}

// Law: voi `bits` divides by 4095, so nothing may lie outside [0, 255/4095]; one channel from grey images.
TEST_CASE("inspect shows the intensities that a network gets", "[cli]") {
  const test::Workplace place(0);
  put_mixed_archive(place / "archive");
  write_file(place / "steps.yaml", "- {voi: bits}\n- {to_float: {}}\n");
  const Json json =
      json_of(test::shiftnorm(place.path(), {"inspect", "archive", "--preprocess", "steps.yaml", "--json"}));
  const Json after = json.at("histograms").at("after");
  REQUIRE(after.as_array().size() == 1);
  CHECK(after.as_array()[0].at("values").as_integer() == 4 * 256);
  CHECK(after.as_array()[0].at("max").as_number() == Approx(255.0 / 4095).epsilon(1e-6));  // float32
  CHECK(after.as_array()[0].at("mean").as_number() == Approx(127.5 / 4095).epsilon(1e-6));
  CHECK(json.at("preprocess").at("sha256").as_string().size() == 64);
}

// Pixels of patients: docs/reference/dicom.md#privacy.
// Law: no picture unless asked for; none of ultrasound.
TEST_CASE("the page of inspect holds no picture unless asked, and none of ultrasound", "[cli]") {
  const test::Workplace place(0);
  put_mixed_archive(place / "archive");
  REQUIRE(test::shiftnorm(place.path(), {"inspect", "archive", "--html", "plain.html"}).exit == 0);
  const std::string plain(as_text(read_file(place / "plain.html")));
  CHECK(count(plain, "<img") == 0);
  CHECK(count(plain, "data:image") == 0);
  CHECK(count(plain, "<svg") == 2);                                        // CR, US
  std::string program = test::shiftnorm(place.path(), {"--version"}).out;  // "shiftnorm 0.1.0", as the page is to end
  program.pop_back();
  CHECK(count(plain, "<footer>" + program + "</footer>") == 1);
  for (const char* secret : {"MARKER", "marker", "1.2.777", "archive"}) CHECK(count(plain, secret) == 0);
  REQUIRE(test::shiftnorm(place.path(), {"inspect", "archive", "--html", "more.html", "--thumbnails", "9"}).exit == 0);
  const std::string more(as_text(read_file(place / "more.html")));
  CHECK(count(more, "<img") == 3);
  CHECK_THAT(more, Catch::Matchers::Contains("1 picture not shown"));
  test::check_refused(place, {"inspect", "archive", "--thumbnails", "9"}, 2, "expected --html FILE with it");
}

// Oracle: by hand: 20 images of 32 x 32 x 3 values.
TEST_CASE("inspect looks into folders and arrays alike", "[cli]") {
  const test::Workplace place;
  const Json folder = json_of(test::shiftnorm(
      place.path(), {"inspect", "images", "--preprocess", "cifar10", "--html", "folder.html", "--json"}));
  CHECK(folder.at("reader").as_string() == "folder");
  CHECK(folder.at("histograms").at("before").as_array().at(0).at("values").as_integer() == 20 * 32 * 32 * 3);
  CHECK(folder.at("histograms").at("after").as_array().size() == 3);
  CHECK(fs::file_size(place / "folder.html") > 10000);
  std::vector<float> values(std::size_t{5} * 3 * 4 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 16;
  write_file(place / "x.npy", shiftnorm::test::write_npy(Array::from_floats({5, 3, 4, 4}, values)));
  const Json array = json_of(test::shiftnorm(place.path(), {"inspect", "x.npy", "--json"}));
  const Json& before = array.at("histograms").at("before").as_array().at(0);
  CHECK(before.at("values").as_integer() == 240);
  CHECK(before.at("max").as_number() == 239.0 / 16);
  CHECK(array.at("counts").at("samples").as_integer() == 5);
}

// Law: the number of threads changes nothing.
TEST_CASE("inspect says the same with any number of threads", "[cli]") {
  const test::Workplace place;
  const auto with = [&](const char* threads) {
    return test::shiftnorm(place.path(),
                           {"inspect", "images", "--preprocess", "cifar10", "--json", "--threads", threads})
        .out;
  };
  CHECK(with("1") == with("3"));
}

// Oracle: the recalibration before: adabn from 20 images.
TEST_CASE("inspect shows where an adapted checkpoint comes from", "[cli]") {
  const test::Workplace place;
  REQUIRE(test::shiftnorm(place.path(), {"recalibrate", "net.safetensors", "--arch", "cifar_resnet20", "--data",
                                         "images", "--preprocess", "cifar10", "--out", "adapted.safetensors"})
              .exit == 0);
  const Json json = json_of(test::shiftnorm(place.path(), {"inspect", "adapted.safetensors", "--json"}));
  CHECK(json.at("provenance").at("images").as_integer() == 20);
  CHECK_THAT(test::shiftnorm(place.path(), {"inspect", "adapted.safetensors"}).out,
             Catch::Matchers::Contains("adabn, layerwise, population, from 20 images"));
  CHECK(json_of(test::shiftnorm(place.path(), {"inspect", "net.safetensors", "--json"})).at("provenance").is_null());
  // Beside another file it is not believed.
  fs::copy_file(place / "adapted.safetensors.provenance.json", place / "net.safetensors.provenance.json");
  const Call other = test::shiftnorm(place.path(), {"inspect", "net.safetensors", "--json"});
  CHECK(json_of(other).at("provenance").is_null());
  CHECK_THAT(other.err, Catch::Matchers::Contains("belongs to another file"));
}

// Oracle: ResNet-50's published number of parameters (torchvision); the file's weights are in ConstantOfShape nodes.
// Oracle: the attribute training_mode as it is written here (ONNX, BatchNormalization since opset 14).
TEST_CASE("inspect says which BatchNorms of an ONNX file are in training mode", "[cli]") {
  const test::Workplace place;
  const auto write = [&](const std::string& name, bool training) {
    graph::Graph graph;
    graph::ValueId at = graph.add_input("x", {1, 2, 8, 8});
    for (const std::string layer : {"first", "second"}) {
      std::vector<graph::ValueId> inputs{at};
      for (const auto& [part, value] : {std::pair{"weight", 1.F}, {"bias", 0.F}, {"mean", 0.F}, {"variance", 1.F}}) {
        inputs.push_back(graph.add_parameter(layer + "." + part, Shape{2}));
        graph.value(inputs.back()).tensor = Tensor(Shape{2}, std::vector<float>{value, value});
      }
      at = graph.add("BatchNormalization", layer, inputs);
    }
    graph.set_outputs({at});
    graph::infer_shapes(graph);
    if (training) graph.set_attribute(1, "training_mode", std::int64_t{1});
    write_file(place / name, formats::write_onnx(graph, "test", {}));
  };
  write("training.onnx", true);
  write("plain.onnx", false);
  const auto modes = [&](const std::string& name) {
    const Json json = json_of(test::shiftnorm(place.path(), {"inspect", name, "--json"}));
    std::vector<bool> found;
    for (const Json& layer : json.at("batchnorms").as_array()) found.push_back(layer.at("training").as_bool());
    return found;
  };
  CHECK(modes("training.onnx") == std::vector<bool>{false, true});
  CHECK(modes("plain.onnx") == std::vector<bool>{false, false});
  const std::string text = test::shiftnorm(place.path(), {"inspect", "training.onnx"}).out;
  CHECK_THAT(text, Catch::Contains("affine  statistics  mode\n"));
  CHECK_THAT(text,
             Catch::Contains("yes     present     inference\n") && Catch::Contains("yes     present     training\n"));
  CHECK_THAT(text, Catch::Contains("training: the file's runtime normalises by each batch's own statistics"));
  CHECK_THAT(test::shiftnorm(place.path(), {"inspect", "plain.onnx"}).out, !Catch::Contains("  mode\n"));
}

// Oracle: torchvision's ResNet-50: 25 557 032 parameters.
TEST_CASE("inspect counts parameters that nodes hold", "[cli]") {
  const auto shared = test::shared_data("inspect counts parameters that nodes hold");
  if (!shared) return;
  const test::Workplace place(0);
  const auto file = (*shared / "data" / "onnx" / "light_resnet50.onnx").string();
  CHECK(json_of(test::shiftnorm(place.path(), {"inspect", file, "--json"})).at("parameters").as_integer() == 25557032);
}

// Oracle: the conformance set's own summary (pydicom).
TEST_CASE("inspect counts the conformance tree as pydicom does", "[cli]") {
  const auto shared = test::shared_data("inspect counts the conformance tree as pydicom does");
  if (!shared) return;
  const test::Workplace place(0);
  const fs::path tree = *shared / "data" / "dicom" / "tree";
  const Json expected = container::parse_json(as_text(read_file(tree / "expected_summary.json")));
  const Json counts = json_of(test::shiftnorm(place.path(), {"inspect", tree.string(), "--json"})).at("counts");
  CHECK(counts.at("patients") == expected.at("patients"));
  CHECK(counts.at("studies") == expected.at("studies"));
  // Every distinct object is used, conflicts aside, or skipped as a localizer or as meant for processing.
  CHECK(counts.at("images").as_integer() + counts.at("skipped_because").at("localizer").as_integer() +
            counts.at("skipped_because").at("for-processing").as_integer() ==
        expected.at("distinct_sop_instances").as_integer());
}

// Oracle: cifar_resnet20 (He et al. 2016): 19 convolutions, one and two in each of nine blocks; five of 64 to 64
// channels.
TEST_CASE("inspect --plan names the kernel of every step", "[cli]") {
  const test::Workplace place(0);
  const std::vector<std::string> plan{"inspect", "net.safetensors", "--arch", "cifar_resnet20", "--plan"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = plan;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  const Call text = test::shiftnorm(place.path(), plan);
  CHECK(text.exit == 0);
  CHECK(count(text.out, "conv kernel=") == 19);
  CHECK(count(text.out, "mb1ic64oc64ih8oh8kh3ph1iw8ow8kw3pw1") == 5);
  const Json json = json_of(test::shiftnorm(place.path(), with({"--json", "--sample", "3,48,48"})));
  std::size_t convolutions = 0;
  for (const Json& step : json.at("plan").as_array()) {
    if (step.at("operator").as_string() != "Conv") continue;
    ++convolutions;
    CHECK(step.at("shape").as_array().size() == 4);
    CHECK_FALSE(step.at("kernel").as_string().empty());
  }
  CHECK(convolutions == 19);
  CHECK(json.at("plan").as_array().front().at("shape").as_array().at(2).as_integer() == 48);
  test::check_refused(place, with({"--sample", "3,x"}), 2, "--sample = 3,x; expected the extents of one image");
  test::check_refused(place, {"inspect", "net.safetensors", "--plan"}, 2, "--plan: the file holds weights only");
}
