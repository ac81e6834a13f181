#include "job_session.hpp"

#include "shiftnorm/core/error.hpp"
#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::toolkit {

SessionOptions job_session(SessionOptions session, const std::filesystem::path& checkpoint,
                           const std::string& architecture, const std::filesystem::path& data,
                           const std::string& preprocess) {
  if (!checkpoint.empty()) session.checkpoint = checkpoint;
  if (!architecture.empty()) session.network.architecture = architecture;
  if (!data.empty()) session.data.path = data;
  if (!preprocess.empty()) session.preprocess = config::find_pipeline(preprocess);
  if (session.data.path.empty()) throw ConfigError("--data: missing; expected the folder or array file of the images");
  return session;
}

void tell_of_session(const Session& session, const Events& events) {
  for (const std::string& note : session.notes) events.warn(note);
  tell_assumed(events, session.model.assumed(), session.notes);
}

}  // namespace shiftnorm::toolkit
