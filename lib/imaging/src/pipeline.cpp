#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "image_header.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/imaging/transform.hpp"

namespace shiftnorm::imaging {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce aggregates by itself

std::string text_of(const Voi& s) {
  std::string windows;
  for (const VoiWindow& w : s.windows)
    windows +=
        fmt::format("{}[{},{},{}]", windows.empty() ? "" : ",", w.centre, w.width, kVoiFunctions.name_of(w.function));
  return fmt::format("voi(rule={},low={},high={},scope={},windows=[{}],index={},equalize={},quantize8={},aspect={})",
                     kVoiRules.name_of(s.rule), s.low, s.high, kVoiScopes.name_of(s.scope), windows, s.index,
                     s.equalize, s.quantize8, s.ignore_aspect ? "ignore" : "square");
}

std::string text_of(const Step& step) {
  return std::visit(
      Overloaded{[](const Resize& s) {
                   return fmt::format("resize(size={},height={},width={},interpolation={},antialias={})", s.size,
                                      s.height, s.width, kInterpolations.name_of(s.interpolation), s.antialias);
                 },
                 [](const CenterCrop& s) { return fmt::format("center_crop(height={},width={})", s.height, s.width); },
                 [](const ToFloat& s) {
                   return s.scale ? fmt::format("to_float(scale={})", *s.scale)
                                  : std::string("to_float(scale=2^bits-1)");
                 },
                 [](const Normalize& s) {
                   return fmt::format("normalize(mean=[{}],std=[{}])", fmt::join(s.mean, ","), fmt::join(s.std, ","));
                 },
                 [](const Convert& s) { return fmt::format("convert(channels={})", s.channels); },
                 [](const Voi& s) { return text_of(s); }},
      step);
}

std::string problem_of(const Voi& s) {
  if (s.rule == VoiRule::percentile && !(s.low >= 0 && s.low < s.high && s.high <= 100))
    return "expected two percentiles, 0 <= low < high <= 100";
  if (s.rule == VoiRule::window && s.windows.size() != 1 && s.windows.size() != 3)
    return "expected one window, or three for three channels";
  for (const VoiWindow& w : s.windows)
    if (!std::isfinite(w.centre) || !std::isfinite(w.width) || w.width <= 0 ||
        (w.function == VoiFunction::linear && w.width < 1))
      return "expected windows of a finite centre and a width above 0, at least 1 if LINEAR";
  if (s.index < 0) return "expected a voi_index of at least 0";
  if (s.rule == VoiRule::none && (s.equalize || s.quantize8))
    return "expected a rule that gives values from 0 to 1 before 8 bits";
  return "";
}

/// What is wrong with one step on its own; empty if nothing is.
std::string problem_of(const Step& step) {
  constexpr std::int64_t kMost = 1 << 20;
  const auto side = [](std::int64_t n) { return n >= 1 && n <= kMost; };
  const auto finite = [](const std::vector<double>& values) {
    return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
  };
  return std::visit(
      Overloaded{
          [&](const Resize& s) -> std::string {
            const bool shorter = side(s.size) && s.height == 0 && s.width == 0;
            const bool exact = s.size == 0 && side(s.height) && side(s.width);
            return shorter || exact ? "" : fmt::format("expected a size, or a height and a width, from 1 to {}", kMost);
          },
          [&](const CenterCrop& s) -> std::string {
            const bool fits = side(s.height) && side(s.width) && s.height <= kMaxPixels / s.width;
            return fits ? ""
                        : fmt::format("expected a height and a width of at least 1, at most {} pixels in all",
                                      kMaxPixels);
          },
          [](const ToFloat& s) -> std::string {
            return !s.scale || (std::isfinite(*s.scale) && static_cast<float>(*s.scale) != 0.0f)
                       ? ""
                       : "expected a scale other than 0";
          },
          [&](const Normalize& s) -> std::string {
            if (s.mean.empty() || s.mean.size() != s.std.size())
              return "expected as many means as deviations, at least one";
            const bool positive = std::ranges::all_of(s.std, [](double v) { return static_cast<float>(v) > 0.0f; });
            return finite(s.mean) && finite(s.std) && positive ? "" : "expected finite means and deviations above 0";
          },
          [](const Convert& s) -> std::string {
            return s.channels == 1 || s.channels == 3 ? "" : "expected 1 or 3 channels";
          },
          [](const Voi& s) { return problem_of(s); }},
      step);
}

}  // namespace

std::string canonical(const Pipeline& pipeline) {
  std::string text;
  for (const Step& step : pipeline.steps) text += (text.empty() ? "" : ";") + text_of(step);
  return text;
}

Voi voi_of(const Pipeline& pipeline) {
  if (!pipeline.steps.empty())
    if (const auto* voi = std::get_if<Voi>(&pipeline.steps.front())) return *voi;
  return {};
}

std::vector<std::string> problems(const Pipeline& pipeline) {
  std::vector<std::string> found;
  bool floating = false;
  for (const Step& step : pipeline.steps) {
    const std::string text = text_of(step);
    if (std::holds_alternative<Voi>(step) && &step != &pipeline.steps.front())
      found.push_back(fmt::format("{}; expected it as the first step", text));
    if (const std::string problem = problem_of(step); !problem.empty())
      found.push_back(fmt::format("{}; {}", text, problem));
    const bool to_float = std::holds_alternative<ToFloat>(step), normalize = std::holds_alternative<Normalize>(step);
    if (to_float && floating) found.push_back(fmt::format("{}; expected one to_float", text));
    if (normalize && !floating) found.push_back(fmt::format("{}; expected it after to_float", text));
    if (!to_float && !normalize && floating) found.push_back(fmt::format("{}; expected it before to_float", text));
    floating = floating || to_float;
  }
  return found;
}

}  // namespace shiftnorm::imaging
