#include "data_options.hpp"

#include <algorithm>

#include "measure_options.hpp"
#include "network_options.hpp"
#include "resource_options.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/parse.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

constexpr OptionSpec kData[] = {
    {"data", "WHERE",
     "the images: a folder (class folders or none), DICOM objects, "
     "a table (.csv with a column path), an array (FILE#key)"},
    {"source-data", "WHERE", "a small unlabelled sample like the training images, where BatchNorms were folded away"},
    {"reference", "F",
     "class-wise moments of training images (.bnref, which `shiftnorm reference` makes): what policy matched corrects "
     "by; stands in for --source-data, too"},
    {"preprocess", "NAME|FILE", "a preset's name, or a YAML file with the list of steps"},
    {"reader", "READER", "auto, folder, array, table or dicom (default: auto)"},
    {"layout", "LAYOUT", "the axes of an array, e.g. NHWC, NCT, NTC, NDHWC or NC (default: inferred from the shape)"},
    {"quarantine", "FILE", "also write the list of bad files: id, reason, offset (CSV)"},
    {"max-images", "N", "use N images, drawn with the seed; recalibrate: auto uses as many as it needs"},
};

}  // namespace

std::span<const OptionSpec> data_options() { return kData; }

void read_reader_options(const Options& options, imaging::DatasetOptions& dataset) {
  dataset.reader = options.named("reader", imaging::kReaders, dataset.reader);
  dataset.layout = options.text("layout");
  if (options.has("layout")) from_option("layout", [&] { imaging::check_layout(dataset.layout); });
}

std::vector<std::string> classes_of(const Options& options) {
  return from_option("classes", [&]() -> std::vector<std::string> {
    const std::string given = options.text("classes");
    if (given.empty()) return {};
    if (given.find(',') == std::string::npos) return config::read_classes(given);
    std::vector<std::string> names = split(given, ',');
    if (std::ranges::find(names, "") != names.end())
      throw ConfigError("an empty name; expected names between the commas");
    imaging::check_classes(names);
    return names;
  });
}

imaging::Pipeline preprocess_of(const Options& options) {
  return from_option("preprocess", [&] { return config::find_pipeline(options.text("preprocess")); });
}

toolkit::SessionOptions session_options_of(const Options& options) {
  toolkit::SessionOptions session;
  session.checkpoint = options.positional();
  session.network = network_of(options);
  session.data.path = options.text("data");
  if (options.has("preprocess")) session.preprocess = preprocess_of(options);
  read_reader_options(options, session.data.dataset);
  read_table_options(options, session.data.dataset);
  if (options.has("max-images") && options.text("max-images") != "auto")
    session.data.dataset.limit.images = options.integer("max-images", 0, 1);
  session.data.dataset.limit.seed = seed_of(options);
  if (options.has("source-data")) session.source = config::DataConfig{options.text("source-data")};
  session.reference = options.text("reference");
  session.threads = threads_of(options);
  session.memory = {options.bytes("memory")};
  return session;
}

}  // namespace shiftnorm::app
