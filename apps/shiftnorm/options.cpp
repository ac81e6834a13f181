#include "options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <sstream>

#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

namespace po = boost::program_options;

constexpr OptionSpec kCommon[] = {
    {"help", "", "this text"},
    {"threads", "N", "threads to use (default: all cores); results do not depend on it"},
    {"quiet", "", "warnings and errors only"},
    {"log-level", "LEVEL", "debug, info, warn, error or off (default: info)"},
    {"log-format", "FORMAT", "text or json, one event a line on stderr (default: text)"},
    {"isa", "SET", "pin the instruction set (sse41, avx2, avx512_core): same bits on other machines"},
    {"json", "", "one JSON document on stdout"},
};

// No short options, so that `--batch -5` reaches the check of --batch; no guessing of abbreviations.
constexpr int kStyle = po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent |
                       po::command_line_style::long_allow_next;

void add(po::options_description& description, std::string_view name, std::string_view argument,
         std::string_view help) {
  const std::string n(name), h(help);
  if (argument.empty()) {
    description.add_options()(n.c_str(), h.c_str());
  } else {
    description.add_options()(n.c_str(), po::value<std::vector<std::string>>()->value_name(std::string(argument)),
                              h.c_str());
  }
}

po::options_description described(const CommandLine& line) {
  po::options_description description("options", 110, 55);
  for (const std::span<const OptionSpec> table : line.tables)
    for (const OptionSpec& spec : table) add(description, spec.name, spec.argument, spec.help);
  for (const OptionSpec& spec : kCommon) add(description, spec.name, spec.argument, spec.help);
  return description;
}

[[noreturn]] void unknown_option(const CommandLine& line, const std::string& given) {
  std::vector<std::string> known;
  for (const std::span<const OptionSpec> table : line.tables)
    for (const OptionSpec& spec : table) known.push_back("--" + std::string(spec.name));
  for (const OptionSpec& spec : kCommon) known.push_back("--" + std::string(spec.name));
  const std::string near = nearest(given, known);
  throw ConfigError(fmt::format("{}: {} is not an option{}; expected one that 'shiftnorm {} --help' lists",
                                line.command, printable(given), near.empty() ? "" : " (nearest is '" + near + "')",
                                line.command));
}

}  // namespace

std::span<const OptionSpec> common_options() { return kCommon; }

Options::Options(const CommandLine& line, std::span<const std::string> tokens) {
  po::options_description description = described(line);
  po::options_description refused;
  for (const RefusedOption& option : line.refused) add(refused, option.name, option.argument, "");
  description.add(refused);

  try {
    const std::vector<std::string> arguments(tokens.begin(), tokens.end());
    const po::parsed_options parsed =
        po::command_line_parser(arguments).options(description).style(kStyle).allow_unregistered().run();
    for (const po::option& option : parsed.options) {
      if (option.unregistered)
        unknown_option(line, option.original_tokens.empty() ? option.string_key : option.original_tokens[0]);
      if (option.string_key.empty()) {  // a free argument
        for (const std::string& value : option.value) {
          if (line.positional.empty())
            throw ConfigError(fmt::format("{}: '{}'; expected options only", line.command, printable(value)));
          if (!positional_.empty() && !line.positional_repeats)
            throw ConfigError(fmt::format("{}: '{}' after '{}'; expected one {}", line.command, printable(value),
                                          printable(positional_), line.positional));
          if (positional_.empty()) positional_ = value;
          positionals_.push_back(value);
        }
        continue;
      }
      for (const RefusedOption& no : line.refused)
        if (no.name == option.string_key) throw ConfigError(fmt::format("--{}: {}", no.name, no.reason));
      auto& values = values_[option.string_key];
      values.insert(values.end(), option.value.begin(), option.value.end());
      if (option.value.empty()) values.emplace_back();
    }
  } catch (const po::error& e) {
    throw ConfigError(fmt::format("{}: {}", line.command, e.what()));
  }

  const auto once = [&](const OptionSpec& spec) {
    const auto found = values_.find(spec.name);
    if (found != values_.end() && found->second.size() > 1 && !spec.repeats)
      throw ConfigError(fmt::format("--{}: given {} times; expected it once", spec.name, found->second.size()));
    if (found != values_.end() && !spec.argument.empty() && std::ranges::find(found->second, "") != found->second.end())
      throw ConfigError(fmt::format("--{}: an empty value; expected {}", spec.name, spec.argument));
  };
  for (const std::span<const OptionSpec> table : line.tables) std::ranges::for_each(table, once);
  std::ranges::for_each(kCommon, once);
  if (!help() && !line.positional.empty() && line.positional_required && positional_.empty())
    throw ConfigError(fmt::format("{}: no {}; expected '{}'", line.command, line.positional, line.usage));
}

std::string help_text(const CommandLine& line) {
  std::ostringstream text;
  text << "usage: " << line.usage << "\n\n" << line.summary << "\n\n" << described(line);
  return text.str();
}

}  // namespace shiftnorm::app
