#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "inspect.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/results/job_json.hpp"
#include "shiftnorm/toolkit/reference.hpp"

namespace shiftnorm::app {

void show_reference(const std::string& where, Console& console) {
  const stats::Reference reference = toolkit::load_reference(where).reference;
  std::string text = fmt::format(
      "{}: {} images{} counted by {}, {} layers\nmodel {} ({}), preprocessing {}, {}, version {}\n",
      printable(std::filesystem::path(where).filename().string()), reference.images,
      reference.patients ? fmt::format(" of {} patients", *reference.patients) : "",
      reference.labelled ? "their labels" : "the network's own probabilities", reference.layers.size(),
      printable(reference.model_sha256, 12), printable(reference.architecture), printable(reference.preprocess),
      printable(reference.instruction_set), printable(reference.program_version));
  std::size_t width = 7;
  for (const std::string& name : reference.classes) width = std::max(width, printable(name).size());
  text += fmt::format("{:<{}}  {:>9}  {:>7}  {:>24}\n", reference.findings ? "finding" : "class", width, "images",
                      "share", "network's own probability");
  const std::vector<double> shares = reference.shares();
  for (std::size_t c = 0; c < reference.classes.size(); ++c) {
    const std::size_t group = reference.findings ? 2 * c + 1 : c;
    const double images = reference.images_of(group);
    const auto own =
        static_cast<double>(reference.outputs[group * reference.classes.size() + c]) / stats::Reference::kUnit;
    text += fmt::format("{:<{}}  {:>9.1f}  {:>6.1f}%  {:>24}\n", printable(reference.classes[c]), width, images,
                        100 * shares[c], images > 0 ? fmt::format("{:.3f}", own / images) : "-");
  }
  console.say(text);
  for (const std::string& note : toolkit::notes_on_reference(reference)) console.warn(note);
  if (console.json()) console.print(results::reference_json(reference));
}

}  // namespace shiftnorm::app
