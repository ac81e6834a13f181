#pragma once

#include <filesystem>
#include <string>

#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// A job's session with what the job's own options name, where they do.
[[nodiscard]] SessionOptions job_session(SessionOptions session, const std::filesystem::path& checkpoint,
                                         const std::string& architecture, const std::filesystem::path& data,
                                         const std::string& preprocess);

/// Warnings, what was assumed about the network beside them, and what became of a table of labels.
void tell_of_session(const Session& session, const Events& events);

}  // namespace shiftnorm::toolkit
