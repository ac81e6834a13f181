#include "shiftnorm/toolkit/reference.hpp"

#include <fmt/format.h>

#include "commands.hpp"
#include "data_options.hpp"
#include "inspect.hpp"
#include "measure_options.hpp"
#include "network_options.hpp"
#include "resource_options.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/results/tables.hpp"
#include "table_options.hpp"

namespace shiftnorm::app {
namespace {

using container::Json;

constexpr OptionSpec kReference[] = {
    {"out", "F", "the reference file to write (.bnref)"},
    {"by-outputs", "", "weigh images by the network's own class probabilities, even where they have labels"},
    {"classes", "A,B,..|FILE", "class names in the order of the outputs (default: the sorted folder names)"},
    {"seed", "S", "seed of --max-images (default: 0)"},
    {"allow-small-cohort", "", "write a reference of fewer than 11 patients, in all or of a class"},
};

toolkit::ReferenceOptions job_of(const Options& options, Console& console) {
  if (!options.has("out")) throw ConfigError("--out: missing; expected the name of the reference file");
  if (options.text("max-images") == "auto")
    throw ConfigError("--max-images = auto: is for recalibrate; expected a number");
  toolkit::ReferenceOptions job;
  job.session = session_options_of(options);
  job.session.data.dataset.classes = classes_of(options);
  job.by_outputs = options.has("by-outputs");
  job.small_cohort = options.has("allow-small-cohort");
  job.events = console.events();
  return job;
}

ExitCode reference(const Options& options, Console& console) {
  const toolkit::ReferenceOptions job = job_of(options, console);
  const toolkit::BadLimit limit = bad_limit_of(options);
  const std::string out = options.text("out");
  toolkit::OutputFiles files;
  files.expect("--out", out);
  if (options.has("quarantine")) files.expect("--quarantine", options.text("quarantine"));
  expect_identities(options, files);
  const toolkit::MadeReference made = toolkit::make_reference(job);
  files.set(out, stats::write_reference(made.reference));
  if (options.has("quarantine")) files.set(options.text("quarantine"), results::quarantine_csv(made.bad));
  set_identities(options, *made.session.dataset, files, console);
  files.write();
  warn_of_bad(console, made.bad);
  for (const std::string& note : made.notes) console.warn(note);
  console.say(fmt::format("{}: {} images, {} {}, {} layers\n", out, made.reference.images,
                          made.reference.classes.size(), made.reference.findings ? "findings" : "classes",
                          made.reference.layers.size()));
  const auto bad = static_cast<std::int64_t>(made.bad.size());
  if (console.json())
    console.print(
        results::reference_json(made.reference).set("bad", bad).set("outputs", Json::object({{"reference", out}})));
  return judge_bad(console, limit, made.reference.images, bad);
}

}  // namespace

Command reference_command() {
  return {{"reference",
           "shiftnorm reference CHECKPOINT --data SAMPLE [--arch NAME | --graph FILE] [--preprocess NAME|FILE] "
           "[--labels CSV] [options] --out NET.bnref",
           "Measures a sample of the training images class by class, for policy matched. No image is in the file.",
           "CHECKPOINT",
           true,
           {kReference, network_options(), data_options(), table_options(), resource_options()},
           {}},
          reference};
}

}  // namespace shiftnorm::app
