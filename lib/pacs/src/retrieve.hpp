#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "dimse.hpp"
#include "network.hpp"
#include "object_store.hpp"
#include "plan.hpp"

namespace shiftnorm::pacs {

/// Takes the objects of one series in, on whatever association they come.
struct Intake {
  ObjectStore& store;
  std::string series;              ///< its id
  std::set<std::string> expected;  ///< UIDs; empty: any object
  std::function<void()> stored_one;
  std::set<std::string> stored;
  std::int64_t refused = 0;  ///< objects that nobody asked for

  /// Answers a request of the peer's, C-STORE or C-ECHO, and stores what it brings.
  void serve(Association& association, const Message& message);
};

/// How the archive says that it went. It may say success all the same when nothing came: compare with what did.
struct Outcome {
  std::uint16_t status = kSuccess;
  std::int64_t failed = 0;  ///< sub-operations
};

/// C-GET: the objects come on the association itself.
[[nodiscard]] Outcome get(Association& association, const Retrieval& retrieval, Intake& intake);

/// C-MOVE: the objects come on associations that the archive, or another machine of its, opens to our listener.
class Mover {
 public:
  explicit Mover(const Network& network, const Link& link) : network_(network), link_(link) {}
  [[nodiscard]] Outcome move(Association& association, const Retrieval& retrieval, Intake& intake);

 private:
  bool serve_visitors(Intake& intake);

  const Network& network_;
  const Link& link_;
  std::vector<Association> visitors_;
};

}  // namespace shiftnorm::pacs
