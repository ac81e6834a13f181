#include "format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::report {
namespace {

struct Known {
  std::string_view name, title, sentence;
  bool percent;
};
constexpr std::array kKnown{
    Known{"accuracy", "Accuracy", "accuracy", true},
    Known{"balanced_accuracy", "Balanced accuracy", "balanced accuracy", true},
    Known{"top3_accuracy", "Top-3 accuracy", "top-3 accuracy", true},
    Known{"top5_accuracy", "Top-5 accuracy", "top-5 accuracy", true},
    Known{"macro_f1", "Macro F1", "macro F1", false},
    Known{"micro_f1", "Micro F1", "micro F1", false},
    Known{"cohen_kappa", "Cohen's kappa", "Cohen's kappa", false},
    Known{"quadratic_kappa", "Quadratic kappa", "quadratic kappa", false},
    Known{"auroc", "AUROC", "AUROC", false},
    Known{"average_precision", "Average precision", "average precision", false},
    Known{"sensitivity_at_90_specificity", "Sensitivity at 90 % specificity", "sensitivity at 90 % specificity", true},
    Known{"sensitivity_at_95_specificity", "Sensitivity at 95 % specificity", "sensitivity at 95 % specificity", true},
    Known{"nll", "NLL", "negative log-likelihood", false},
    Known{"ece", "ECE", "expected calibration error", false},
    Known{"adaptive_ece", "Adaptive ECE", "adaptive calibration error", false},
    Known{"brier", "Brier score", "Brier score", false},
    Known{"mean_confidence", "Mean confidence", "mean confidence", true},
    Known{"mean_entropy", "Mean entropy, nats", "mean entropy", false},
};

/// No "-0.0": a difference of nothing has no sign.
double positive_zero(double value, double scale) { return std::round(value * scale) == 0 ? 0.0 : value; }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace

Display display(std::string_view metric) {
  for (const Known& known : kKnown)
    if (known.name == metric) return {std::string(known.title), std::string(known.sentence), known.percent};
  return {std::string(metric), std::string(metric), false};
}

std::string bare_text(std::string_view metric, double value) {
  if (display(metric).percent) return fmt::format("{:.1f}", positive_zero(100 * value, 10));
  return fmt::format("{:.3f}", positive_zero(value, 1000));
}

std::string value_text(std::string_view metric, double value) {
  return bare_text(metric, value) + (display(metric).percent ? " %" : "");
}

std::string range_text(std::string_view metric, metrics::Interval range) {
  return bare_text(metric, range.low) + " to " + bare_text(metric, range.high);
}

std::string below_html(std::string_view safe) {
  return safe.empty() ? std::string() : fmt::format("<br><span class=\"quiet\">{}</span>", safe);
}

std::string interval_html(std::string_view metric, const std::optional<metrics::Interval>& interval,
                          std::string_view reason) {
  const std::string text = interval         ? range_text(metric, *interval)
                           : reason.empty() ? std::string()
                                            : html(fmt::format("no interval: {}", reason));
  return below_html(text);
}

std::string difference_text(std::string_view metric, double difference) {
  const std::string number = bare_text(metric, difference);
  const bool plain = number.front() == '-' || number.find_first_not_of("0.") == std::string::npos;
  return (plain ? "" : "+") + number + (display(metric).percent ? " points" : "");
}

std::string p_text(double p) { return p < 0.001 ? "p < 0.001" : fmt::format("p = {:.3f}", p); }

std::string test_text(std::string_view test) {
  if (test == "mcnemar") return "McNemar";
  return test == "delong" ? "DeLong" : std::string(test);
}

std::string level_text(double level) { return fmt::format("{:g} %", 100 * level); }

std::string seconds_text(double seconds) { return fmt::format("{:.{}f}", seconds, seconds < 10 ? 2 : 1); }

std::string count_text(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string html(std::string_view text) {
  std::string out;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    if (start > 0) out += '\n';
    std::string line(text.substr(start, end - start));
    for (char& c : line)
      if (c == '\t') c = ' ';
    out += escaped(printable(line, std::string::npos));
    start = end + 1;
  }
  return out;
}

std::string html_sentence(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kJoined{
      {{" %", "&nbsp;%"}, {" points", "&nbsp;points"}, {"p = ", "p&nbsp;=&nbsp;"}, {"p &lt; ", "p&nbsp;&lt;&nbsp;"}}};
  const std::string plain = html(text);
  std::string out;
  for (std::size_t i = 0; i < plain.size();) {
    const std::string_view rest = std::string_view(plain).substr(i);
    const auto* const found =
        std::find_if(kJoined.begin(), kJoined.end(), [&](const auto& one) { return rest.starts_with(one.first); });
    out += found == kJoined.end() ? rest.substr(0, 1) : found->second;
    i += found == kJoined.end() ? 1 : found->first.size();
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t characters) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  std::size_t seen = 0, keep = text.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!starts(text[i])) continue;
    if (seen + 1 == characters) keep = i;
    if (++seen > characters) return std::string(text.substr(0, keep)) + "\xe2\x80\xa6";
  }
  return std::string(text);
}

}  // namespace shiftnorm::report
