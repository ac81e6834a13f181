#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elements.hpp"
#include "network.hpp"
#include "plan.hpp"
#include "shiftnorm/pacs/query.hpp"

namespace shiftnorm::pacs {

/// A study or series that meets the query. `objects`: how many it has, where the archive says.
struct Found {
  std::string uid, modality;
  std::optional<std::int64_t> objects;
};

/// C-FIND in the study root on one association.
/// Errors  as Association; PeerError if the peer offers no such service, refuses, or answers with what is not a UID.
class Finder {
 public:
  Finder(const Network& network, const Query& query);

  [[nodiscard]] std::vector<Found> studies();
  [[nodiscard]] std::vector<Found> series(const std::string& study);
  /// Empty if the peer does not answer at this level, without classes if it does not give them: Orthanc looks into each
  /// object for its class, and refuses the whole query over one that it has lost.
  [[nodiscard]] std::vector<Instance> instances(const std::string& study, const std::string& series);
  void close() { association_.release(); }

  /// Answers that did not meet the query, after all: the peer ignores some of its keys.
  [[nodiscard]] std::int64_t left_out() const { return left_out_; }

 private:
  /// The final status.
  std::uint16_t ask(std::string_view level, Elements keys, const std::function<void(const Elements&)>& take);
  [[nodiscard]] bool meets_all(Level level, const Elements& answer);

  const Query& query_;
  Association association_;
  std::uint8_t context_ = 0;
  std::int64_t left_out_ = 0;
};

}  // namespace shiftnorm::pacs
