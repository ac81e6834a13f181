#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::pacs {

/// Where in the archive's hierarchy an attribute is matched.
enum class Level { study, series };

/// How values of an attribute are compared.
enum class Matching { text, uid, date, time };

/// An attribute that a query may name.
struct QueryKey {
  std::string_view keyword;  ///< its keyword in PS3.6
  std::uint32_t tag;         ///< group << 16 | element
  Level level;
  Matching matching;
};

/// One condition. `key` is of a table that lives as long as the program.
struct Condition {
  const QueryKey* key = nullptr;
  std::string value;  ///< as DICOM matches it: * and ? in texts, A-B in dates and times, UIDs apart by backslashes
};

/// Conditions that a study or series meets all of.
class Query {
 public:
  /// Each text reads KEYWORD=VALUE or GGGG,EEEE=VALUE.
  /// Errors  ConfigError: no condition at all, a key that is none (with the nearest), a key given twice, a bad value.
  /// Values are not repeated in any text: they name patients.
  explicit Query(std::span<const std::string> texts);
  [[nodiscard]] const std::vector<Condition>& conditions() const { return conditions_; }
  [[nodiscard]] bool has(Level level) const;

 private:
  std::vector<Condition> conditions_;
};

/// Whether an answer's value meets a condition, by PS3.4 C.2.2.2; letter case does not count. An archive that ignores a
/// key answers everything it has, so its answers are looked at again. Text outside ASCII is taken on trust, and so are
/// times, whose precision varies.
[[nodiscard]] bool meets(const Condition& condition, std::string_view answer);

}  // namespace shiftnorm::pacs
