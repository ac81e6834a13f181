#include "inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "commands.hpp"
#include "network_options.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

namespace fs = std::filesystem;

constexpr OptionSpec kInspect[] = {
    {"stats", "F", "checkpoints: how far the statistics of this file (.bnstats) are from the checkpoint's own"},
    {"plan", "", "checkpoints: also the kernel that runs each step of the network on this machine"},
    {"sample", "C,H,W", "checkpoints: with --plan, the size of one image if the network leaves it open"},
    {"pixels", "", "data: per image format, hash of the stored values and their range"},
    {"reader", "READER", "data: auto, folder, array, table or dicom"},
    {"layout", "LAYOUT", "data: the axes of an array, e.g. NHWC, NCT or NDHWC"},
    {"preprocess", "NAME|FILE", "data: also the intensities after this preset or YAML list of steps"},
    {"domain", "KEY", "data: count by this column or DICOM attribute; may be repeated", true},
    {"show-domains", "", "data: print values that identify a site, in place of domain-1, domain-2 .."},
    {"html", "FILE", "data: write the same as a page with histograms, without pixels of the images"},
    {"thumbnails", "N", "data: put small pictures of the first N images on the page; never those that may show a name"},
};

/// Weights have dotted names or running statistics; arrays of images have neither.
bool holds_weights(const formats::Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.tensors, [](const formats::NamedTensor& t) {
    return t.name.ends_with(".weight") || t.name.ends_with(".bias") || t.name.ends_with("running_mean");
  });
}

bool is_data(const std::string& where, const Options& options) {
  for (const std::string_view of_checkpoints : {"arch", "stats", "weights", "plan", "sample"})
    if (options.has(of_checkpoints)) return false;
  for (const std::string_view of_data :
       {"reader", "layout", "pixels", "labels", "label-tag", "where", "preprocess", "domain", "html", "thumbnails"})
    if (options.has(of_data)) return true;
  const fs::path path = where;
  const std::string type = path.extension().string();
  return fs::is_directory(path) || imaging::is_dicom_source(path) || type == ".npy" || type == ".npz" ||
         type == ".csv" || type == ".tsv" || (!fs::exists(path) && where.find('#') != std::string::npos);
}

ExitCode inspect(const Options& options, Console& console) {
  const std::string& where = options.positional();
  if (fs::path(where).extension() == ".bnstats") {
    show_statistics(where, console);
    return ExitCode::done;
  }
  if (fs::path(where).extension() == ".bnref") {
    show_reference(where, console);
    return ExitCode::done;
  }
  if (is_data(where, options)) {
    inspect_data(where, options, console);
    return ExitCode::done;
  }
  const formats::Checkpoint checkpoint = formats::read_checkpoint(where, {.weights = options.text("weights")});
  const bool arrays = checkpoint.format == "safetensors" && !options.has("arch") && !options.has("stats") &&
                      !options.has("plan") && !holds_weights(checkpoint);
  if (arrays)
    inspect_data(where, options, console);
  else
    inspect_checkpoint(checkpoint, options, console);
  return ExitCode::done;
}

}  // namespace

Command inspect_command() {
  return {
      {"inspect",
       "shiftnorm inspect CHECKPOINT|DATA|STATS [--arch NAME] [--stats F] [--pixels] [--preprocess NAME] [--html FILE]",
       "Shows what is in a file or a data set: BatchNorms and their statistics; images, labels, what would be skipped.",
       "CHECKPOINT, DATA or STATS",
       true,
       {kInspect, network_options(), table_options()},
       {}},
      inspect};
}

}  // namespace shiftnorm::app
