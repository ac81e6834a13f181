#include "shiftnorm/core/error.hpp"

namespace shiftnorm {
namespace {

template <class... Types>
void rethrow_as(std::string_view where) {
  const auto one = [&]<class T>(const T*) {
    try {
      throw;
    } catch (const T& e) {
      throw T(std::string(where) + ": " + e.what());
    } catch (...) {
    }
  };
  (one(static_cast<const Types*>(nullptr)), ...);
}

}  // namespace

void rethrow_at(std::string_view where) {
  try {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error&) {
    rethrow_as<ConfigError, FormatError, UnsupportedError, ShapeError, MachineError, Error>(where);
    throw;
  }
}

}  // namespace shiftnorm
