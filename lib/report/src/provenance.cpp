#include <fmt/format.h>

#include "document.hpp"
#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

constexpr std::size_t kMostBad = 50;

}  // namespace

std::string bad_images(const View& view) {
  const auto& bad = view.results.bad;
  if (bad.empty()) return {};
  std::string rows = "<thead><tr><th scope=\"col\">Image</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < std::min(bad.size(), kMostBad); ++i)
    rows += fmt::format("<tr><th scope=\"row\"><code>{}</code></th><td class=\"left\">{}</td></tr>\n", html(bad[i].id),
                        html(bad[i].reason));
  std::string out = boxed_table("words untitled", "Images that could not be read", rows + "</tbody>");
  if (bad.size() > kMostBad)
    out += fmt::format("<p>The first {} of {}; <code>results.json</code> lists all.</p>\n", kMostBad, bad.size());
  return out;
}

std::string provenance(const View& view) {
  const results::RunResults& run = view.results;
  std::string rows = "<tbody>\n";
  rows += fact("Program", "shiftnorm " + run.program_version);
  rows += fact("Instruction set", run.instruction_set);
  rows += fact("Libraries", libraries_text(run.libraries));
  rows += fact("Protocol", run.protocol);
  if (run.split)
    rows += fact("Split", fmt::format("by {}: {} measured, {} scored", run.split->by,
                                      count_text(run.split->adapt_images, "image"), run.split->evaluate_images));
  if (run.stream_batch > 0) rows += fact("Stream", fmt::format("batches of {}", run.stream_batch));
  rows += fact("Seed", std::to_string(run.seed));
  rows += fact("Checkpoint", run.model_file);
  rows += fact("Checkpoint SHA-256", run.model_sha256, true);
  rows += fact("Architecture", run.architecture);
  for (const std::string& assumed : run.assumptions) rows += fact("Assumed", assumed);
  rows += fact("BatchNorm layers", fmt::format("{} in {}", run.batchnorms, count_text(run.levels, "level")));
  rows += fact("Parameters", std::to_string(run.parameters));
  rows += fact("Preprocessing", run.preprocess);
  rows += fact("Preprocessing SHA-256", run.preprocess_sha256, true);
  rows += fact("Data fingerprint", run.fingerprint, true);
  rows += fact("Images", fmt::format("{} used, {} labelled, {} skipped, {} bad", run.images,
                                     run.labelled.value_or(view.labelled), run.skipped, run.bad.size()));
  if (run.label_counts)
    rows += fact("Labels",
                 fmt::format("{}: {} images matched, {} without a label, {} labels without an image, {} ambiguous",
                             run.label_counts->file, run.label_counts->matched, run.label_counts->images_without_label,
                             run.label_counts->labels_without_image, run.label_counts->ambiguous));
  if (run.resamples > 0 && run.clusters > 0)
    rows += fact("Intervals", fmt::format("{}, {} over {}s ({}), {} resamples", level_text(run.level),
                                          run.interval == metrics::IntervalKind::bca ? "BCa bootstrap" : "bootstrap",
                                          run.interval_by, run.clusters, run.resamples));
  if (run.patients) rows += fact("Patients", std::to_string(*run.patients));
  if (run.load_seconds > 0) rows += fact("Loading", seconds_text(run.load_seconds) + " s");
  if (!run.exported_file.empty())
    rows += fact("Exported", fmt::format("{} as {}", run.exported_mode, run.exported_file));
  return boxed_table("words untitled", "Provenance", rows + "</tbody>");
}

std::string repetition(const View& view) {
  const auto block = [](std::string_view title, const std::string& text) {
    if (text.empty()) return std::string();
    return fmt::format("<h3>{0}</h3>\n<pre tabindex=\"0\" aria-label=\"{0}\">{1}</pre>\n", title, html(text));
  };
  return block("Command", view.results.command) + block("Resolved configuration", view.results.config_yaml);
}

}  // namespace shiftnorm::report
