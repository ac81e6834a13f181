#include "exit_code.hpp"

#include <new>
#include <system_error>

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::app {
namespace {

constexpr std::size_t kLongestLine = 2000;

}  // namespace

Failure failure_of(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const ConfigError& e) {
    return {ExitCode::usage, printable(e.what(), kLongestLine)};
  } catch (const FormatError& e) {
    return {ExitCode::bad_input, printable(e.what(), kLongestLine)};
  } catch (const UnsupportedError& e) {
    return {ExitCode::bad_input, printable(e.what(), kLongestLine)};
  } catch (const ShapeError& e) {
    return {ExitCode::bad_input, printable(e.what(), kLongestLine)};
  } catch (const MachineError& e) {
    return {ExitCode::machine, printable(e.what(), kLongestLine)};
  } catch (const Interrupted&) {
    return {ExitCode::interrupted, "interrupted; nothing was written"};
  } catch (const std::bad_alloc&) {
    return {ExitCode::machine, "memory: not enough for this job; expected a smaller --memory or fewer images"};
  } catch (const std::system_error& e) {  // std::filesystem, thread creation
    return {ExitCode::machine, printable(e.what(), kLongestLine)};
  } catch (const std::exception& e) {
    return {ExitCode::our_fault, printable(e.what(), kLongestLine)};
  } catch (...) {
    return {ExitCode::our_fault, "an unknown error"};
  }
}

}  // namespace shiftnorm::app
