#pragma once

#include <atomic>

namespace shiftnorm::app {

/// Set by the first Ctrl-C or SIGTERM; the second one ends the process at once.
[[nodiscard]] const std::atomic<bool>& cancelled();
void install_signal_handlers();

}  // namespace shiftnorm::app
