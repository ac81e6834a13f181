#include <fmt/format.h>

#include "shiftnorm/container/csv.hpp"
#include "shiftnorm/results/tables.hpp"

namespace shiftnorm::results {

std::string quarantine_csv(std::span<const BadFile> bad) {
  const auto quoted = [](const std::string& field) {
    return container::csv_field(field, container::CsvQuotes::always);
  };
  std::string text = "id,reason,offset\n";
  for (const BadFile& one : bad)
    text += fmt::format("{},{},{}\n", quoted(one.id), quoted(one.kind.empty() ? one.reason : one.kind),
                        one.offset ? std::to_string(*one.offset) : "");
  return text;
}

}  // namespace shiftnorm::results
