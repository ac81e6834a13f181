#include "inspect_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"
#include "shiftnorm/exec/instruction_set.hpp"

namespace shiftnorm::app {

using container::Json;

std::string plan_text(const std::vector<exec::PlanStep>& steps) {
  std::size_t op = 8, node = 4, kernel = 6;
  for (const exec::PlanStep& step : steps) {
    op = std::max(op, step.op.size());
    node = std::max(node, printable(step.node).size());
    kernel = std::max(kernel, step.kernel.size());
  }
  std::string text = fmt::format("\nplan for one image on {}, {} steps:\n{:<{}}  {:<{}}  {:<{}}  writes\n",
                                 exec::instruction_set(), steps.size(), "operator", op, "node", node, "kernel", kernel);
  for (const exec::PlanStep& step : steps) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}", step.op, op, printable(step.node), node, step.kernel, kernel,
                        step.shape.text());
    // A convolution as a line of tests/exec/kernel_cases.txt.
    if (!step.form.empty()) text += fmt::format("  conv kernel={} {}", step.kernel, step.form);
    if (!step.one_pass.empty()) text += fmt::format("  (or in one pass: {})", step.one_pass);
    text += '\n';
  }
  return text;
}

Json plan_json(const std::vector<exec::PlanStep>& steps) {
  Json rows = Json::array();
  for (const exec::PlanStep& step : steps) {
    Json shape = Json::array();
    for (const std::int64_t extent : step.shape.extents()) shape.push(extent);
    rows.push(Json::object({{"operator", step.op},
                            {"node", printable(step.node)},
                            {"kernel", step.kernel},
                            {"one_pass", container::text_or_null(step.one_pass)},
                            {"shape", std::move(shape)},
                            {"form", container::text_or_null(step.form)}}));
  }
  return rows;
}

Shape sample_shape(const std::string& text) {
  std::vector<std::int64_t> extents;
  for (const std::string& part : split(text, ','))
    if (!parse_whole(part, extents.emplace_back()) || extents.back() < 1)
      throw ConfigError(
          fmt::format("--sample = {}; expected the extents of one image such as 3,224,224", printable(text)));
  return Shape(std::move(extents));
}

}  // namespace shiftnorm::app
