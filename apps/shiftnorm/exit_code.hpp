#pragma once

#include <exception>
#include <string>

namespace shiftnorm::app {

/// What scripts see (docs/reference/command-line.md#exit-codes).
enum class ExitCode : int {
  done = 0,
  our_fault = 1,
  usage = 2,      ///< wrong usage or configuration, or a refusal
  bad_input = 3,  ///< a missing, bad or unsupported input file
  too_many_bad =
      4,        ///< finished and written, but more inputs were bad than --max-bad allows; objects of a pull are missing
  machine = 5,  ///< disk full, memory, permission, network
  interrupted = 130
};

struct Failure {
  ExitCode code;
  std::string text;  ///< one line
};

/// What an exception means to the user.
[[nodiscard]] Failure failure_of(std::exception_ptr exception);

}  // namespace shiftnorm::app
