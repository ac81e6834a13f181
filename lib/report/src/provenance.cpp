#include <fmt/format.h>

#include "format.hpp"
#include "sections.hpp"

namespace shiftnorm::report {
namespace {

constexpr std::size_t kMostBad = 50;

std::string line(std::string_view name, const std::string& value, bool code = false) {
  if (value.empty()) return {};
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}{}{}</td></tr>\n", name, code ? "<code>" : "", html(value),
                     code ? "</code>" : "");
}

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
  const experiment::RunResults& run = view.results;
  std::string rows = "<tbody>\n";
  rows += line("Program", "shiftnorm " + run.program_version);
  rows += line("Instruction set", run.instruction_set);
  rows += line("Protocol", run.protocol);
  rows += line("Seed", std::to_string(run.seed));
  rows += line("Checkpoint", run.model_file);
  rows += line("Checkpoint SHA-256", run.model_sha256, true);
  rows += line("Architecture", run.architecture);
  rows += line("BatchNorm layers", fmt::format("{} in {}", run.batchnorms, count_text(run.levels, "level")));
  rows += line("Parameters", std::to_string(run.parameters));
  rows += line("Preprocessing", run.preprocess);
  rows += line("Preprocessing SHA-256", run.preprocess_sha256, true);
  rows += line("Data fingerprint", run.fingerprint, true);
  rows += line("Images", fmt::format("{} used, {} labelled, {} skipped, {} bad", run.images, view.labelled, run.skipped,
                                     run.bad.size()));
  if (run.label_counts)
    rows += line("Labels",
                 fmt::format("{}: {} images matched, {} without a label, {} labels without an image, {} "
                             "ambiguous",
                             run.label_counts->file, run.label_counts->matched, run.label_counts->images_without_label,
                             run.label_counts->labels_without_image, run.label_counts->ambiguous));
  if (run.resamples > 0)
    rows += line("Intervals", fmt::format("{}, percentile bootstrap over images, {} resamples", level_text(run.level),
                                          run.resamples));
  if (run.load_seconds > 0) rows += line("Loading", seconds_text(run.load_seconds) + " s");
  if (!run.exported_file.empty())
    rows += line("Exported", fmt::format("{} as {}", run.exported_mode, run.exported_file));
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
