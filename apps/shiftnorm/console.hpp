#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "exit_code.hpp"
#include "options.hpp"
#include "shiftnorm/container/json.hpp"
#include "shiftnorm/toolkit/events.hpp"

namespace shiftnorm::app {

/// stdout, stderr and the log of one call: results on stdout, everything else on stderr, as the common options ask.
class Console {
 public:
  Console();  ///< before the options are known: text, warnings and errors
  ~Console();
  void configure(const Options& options);  ///< ConfigError for a bad --log-level or --log-format

  void debug(const std::string& text);
  void info(const std::string& text);
  void warn(const std::string& text);
  void fail(const Failure& failure);  ///< the one line of an error

  /// Text on stdout for people; nothing with --quiet or --json. MachineError if stdout cannot be written.
  void say(std::string_view text) const;
  /// The JSON document of --json.
  void print(const container::Json& document) const;
  [[nodiscard]] bool json() const;

  [[nodiscard]] Progress progress();         ///< shown by this console, stopped by Ctrl-C
  [[nodiscard]] toolkit::Events events();    ///< the same with a job's lines; tenths of its work go into the log
  [[nodiscard]] toolkit::Events messages();  ///< without them: the log of a run is for reading
  [[nodiscard]] std::string log() const;     ///< every message so far with its time: run.log

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes to stdout and flushes. MachineError if that fails.
void write_stdout(std::string_view text);

}  // namespace shiftnorm::app
