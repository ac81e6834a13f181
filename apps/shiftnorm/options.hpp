#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/names.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {

/// One option of a command. An empty `argument` makes it a flag.
struct OptionSpec {
  std::string_view name, argument, help;
  bool repeats = false;
};

/// An option of the contract that this version does not carry out: known, so that its refusal can say why.
struct RefusedOption {
  std::string_view name, argument, reason;
};

/// What a command takes; parsing and --help both come from it.
struct CommandLine {
  std::string_view command, usage, summary;
  std::string_view positional;  ///< what the free argument is, for messages; empty: none
  bool positional_required = true;
  std::vector<std::span<const OptionSpec>> tables;
  std::span<const RefusedOption> refused;
  bool positional_repeats = false;
};

/// The options that every command has.
[[nodiscard]] std::span<const OptionSpec> common_options();

/// Parsed options of one call. Numbers are strict; every error names the option.
class Options {
 public:
  /// Errors  ConfigError: unknown option (with the nearest), a value missing, given twice, refused, too many arguments.
  Options(const CommandLine& line, std::span<const std::string> tokens);

  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  [[nodiscard]] std::string text(std::string_view name, std::string absent = {}) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t absent, std::int64_t least,
                                     std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
  [[nodiscard]] std::optional<double> number(std::string_view name, double least, double most) const;
  [[nodiscard]] std::uint64_t bytes(std::string_view name) const;  ///< "512M", "4G"; 0 when absent
  /// The value that the option names, of those in a table.
  template <class Row, std::size_t N>
  [[nodiscard]] auto named(std::string_view name, const Names<Row, N>& table,
                           typename Names<Row, N>::Enum absent) const {
    if (!has(name)) return absent;
    const std::string given = text(name);
    if (const Row* row = table.find(given)) return row->value;
    throw ConfigError(not_among("--" + std::string(name) + " = " + printable(given), given, table.list()));
  }
  /// The one free argument; empty if there is none.
  [[nodiscard]] const std::string& positional() const { return positional_; }
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }
  [[nodiscard]] bool help() const { return has("help"); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::string positional_;
  std::vector<std::string> positionals_;
};

[[nodiscard]] std::string help_text(const CommandLine& line);

/// Runs `read`; a ConfigError from inside gets `--name: ` before it.
template <class F>
auto from_option(std::string_view name, F read) {
  try {
    return read();
  } catch (const Error&) {
    rethrow_at("--" + std::string(name));
  }
}

}  // namespace shiftnorm::app
