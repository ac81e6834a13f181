#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace shiftnorm {

/// Every error this library reports. The text reads `where: what was found; what was expected`.
/// An inner layer throws what it knows; each outer layer adds one `where` with `rethrow_at` and none swallows.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What the user wrote (YAML, option, combination) cannot be carried out: mend the configuration. Exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// The file is bad: truncated, inconsistent, malicious. Exit code 3.
class FormatError : public Error {
 public:
  using Error::Error;
};

/// The file is fine, this program lacks what it asks for. Exit code 3.
class UnsupportedError : public Error {
 public:
  using Error::Error;
};

/// Extents that do not fit each other. Exit code 3 when a file caused it.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// The machine failed us: disk full, permission, memory, network. Exit code 5.
class MachineError : public Error {
 public:
  using Error::Error;
};

/// The caller asked to stop (Ctrl-C). Exit code 130.
class Interrupted : public Error {
 public:
  Interrupted() : Error("interrupted") {}
};

/// Inside a catch block: throws the current exception again with `where: ` before its text, its type kept.
/// Exceptions that are not shiftnorm::Error (std::bad_alloc among them) pass through unchanged.
[[noreturn]] void rethrow_at(std::string_view where);

}  // namespace shiftnorm
