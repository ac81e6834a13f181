#pragma once

#include <string>
#include <vector>

#include "shiftnorm/toolkit/restore.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// The note on a network whose file has layers in training mode; empty where there are none.
[[nodiscard]] std::vector<std::string> notes_on_training_mode(const RestoredModel& model);

/// Before any image is read. Errors  ConfigError for an output that the file's runtime would ignore, as may_write(),
/// and for batches of a source that depends on none.
void check_training_mode(const RestoredModel& model, const SessionOptions& options);

/// ConfigError if statistics written to such a file would have no effect in its runtime.
void may_write(const RestoredModel& model, const Written& written);

}  // namespace shiftnorm::toolkit
