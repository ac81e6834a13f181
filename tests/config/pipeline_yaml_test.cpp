#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/file.hpp"
#include "support/shared_data.hpp"

using namespace shiftnorm;
using config::parse_pipeline;

namespace {

std::string pipeline_error(const std::string& yaml) {
  try {
    (void)parse_pipeline(yaml, "p.yaml");
  } catch (const ConfigError& e) {
    return e.what();
  }
  return {};
}

struct PipelineCase {
  std::string yaml, error;
};

}  // namespace

// Oracle: the steps of the preset `imagenet`, written out in configs/presets/imagenet.yaml.
TEST_CASE("a preset in full is the preset", "[experiment]") {
  const imaging::Pipeline full = parse_pipeline(
      "[{resize: 256, interpolation: bilinear, antialias: true}, {center_crop: 224}, {to_float: {scale: 255}},"
      " {normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}]",
      "p.yaml");
  REQUIRE(full.steps.size() == 4);
  CHECK(std::get<imaging::Resize>(full.steps[0]).size == 256);
  CHECK(std::get<imaging::CenterCrop>(full.steps[1]).width == 224);
  CHECK(std::get<imaging::ToFloat>(full.steps[2]).scale == 255);
  CHECK(std::get<imaging::Normalize>(full.steps[3]).std == std::vector<double>{0.229, 0.224, 0.225});
}

// Oracle: configs/presets, the same steps for people to read and copy.
TEST_CASE("the presets are what configs/presets says", "[experiment]") {
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_root() / "configs" / "presets")) {
    const imaging::Pipeline written =
        parse_pipeline(as_text(read_file(entry.path())), entry.path().filename().string());
    CHECK(imaging::canonical(written) == imaging::canonical(imaging::preset(entry.path().stem().string())));
    ++compared;
  }
  CHECK(compared == 7);
}

// Oracle: docs/reference/dicom.md#voi-rules; what cannot be carried out is refused with its place.
TEST_CASE("the voi step is read, written and checked", "[experiment]") {
  const auto voi = [](const std::string& text) {
    return imaging::voi_of(parse_pipeline("[" + text + ", {to_float: {}}]", "p.yaml"));
  };
  CHECK(voi("{voi: file, voi_index: 1, quantize8: true}").index == 1);
  CHECK(voi("{voi: file, quantize8: true}").quantize8);
  CHECK(voi("{voi: minmax, scope: series}").scope == imaging::VoiScope::series);
  CHECK(voi("{voi: {percentile: [1, 99]}}").high == 99);
  CHECK(voi("{voi: bits, equalize: true, aspect: ignore}").ignore_aspect);
  const imaging::Voi window = voi("{voi: {window: [40, 80, SIGMOID]}}");
  REQUIRE(window.windows.size() == 1);
  CHECK(window.windows[0] == imaging::VoiWindow{40, 80, imaging::VoiFunction::sigmoid});
  CHECK(voi("{voi: {window: [[40, 80], [80, 200], [40, 380]]}}").windows.size() == 3);
  CHECK(voi("{resize: 8}").rule == imaging::VoiRule::automatic);
  for (const std::string bad :
       {"{voi: brain}", "{voi: {window: [40]}}", "{voi: {window: [40, 0]}}", "{voi: {percentile: [99, 1]}}",
        "{voi: {window: [40, 80], percentile: [1, 99]}}", "{resize: 8}, {voi: file}"})
    CHECK_THROWS_AS(voi(bad), ConfigError);
}

// Law: a round trip.
TEST_CASE("every preset survives being written and read", "[experiment]") {
  for (const std::string& name : imaging::preset_names()) {
    const imaging::Pipeline preset = imaging::preset(name);
    imaging::Pipeline again = parse_pipeline(config::pipeline_yaml(preset), "p.yaml");
    again.name = preset.name;
    CHECK(imaging::canonical(again) == imaging::canonical(preset));
  }
}

// Oracle: lines and columns counted by hand, from 1.
TEST_CASE("steps are refused with their place", "[experiment]") {
  const PipelineCase c = GENERATE(values<PipelineCase>({
      {"[{resise: 3}, {to_float: {}}]", "p.yaml:1:3: preprocess[0].resise is not a key; nearest is 'resize'"},
      {"[{resize: 0}, {to_float: {}}]", "p.yaml:1:11: preprocess[0].resize = 0; expected an integer from 1 to 16384"},
      {"[{resize: 8, interpolation: cubic}, {to_float: {}}]",
       "p.yaml:1:29: preprocess[0].interpolation = cubic; expected nearest, bilinear or bicubic"},
      {"[{resize: 8, antialias: 1}, {to_float: {}}]",
       "p.yaml:1:25: preprocess[0].antialias = 1; expected true or false"},
      {"[{center_crop: [8]}, {to_float: {}}]",
       "p.yaml:1:16: preprocess[0].center_crop = a list; expected [height, width]"},
      {"[{to_float: {}}, {resize: 8}]",
       "p.yaml:1:18: preprocess[1] comes after to_float; expected image steps before to_float"},
      {"[{normalize: {mean: 0, std: 1}}, {to_float: {}}]",
       "p.yaml:1:2: preprocess[0] comes before to_float; expected normalize after to_float"},
      {"[{to_float: {}}, {to_float: {}}]", "p.yaml:1:18: preprocess[1] is a second to_float; expected one"},
      {"[{resize: 8}]", "p.yaml:1:1: preprocess has no to_float; expected one (scale: 1 keeps the values)"},
      {"[{to_float: {}}, {normalize: {mean: [0, 0], std: [1]}}]",
       "p.yaml:1:30: preprocess[1].normalize has 2 means and 1 stds; expected as many of each"},
      {"[{to_float: {scale: inf}}]",
       "p.yaml:1:21: preprocess[0].to_float.scale = inf; expected a number of at least 1e-30"},
      {"{resize: 8}", "p.yaml:1:1: preprocess = a map; expected a preset's name or a list of steps"},
  }));
  CHECK(pipeline_error(c.yaml) == c.error);
}
