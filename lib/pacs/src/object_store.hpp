#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "shiftnorm/core/project_key.hpp"

namespace shiftnorm::pacs {

/// What the meta header of a file says of its object. All three are UIDs.
struct ObjectFacts {
  std::string sop_class, sop_instance, transfer_syntax;
};

/// The 128 + 4 bytes and the meta information (PS3.10, 7.1) that stand before a data set.
[[nodiscard]] std::string file_head(const ObjectFacts& facts);

/// Files of received objects: FOLDER/<study>/<series>/<object>.dcm, each name a keyed hash of a UID, so that no text of
/// a peer's ever becomes a path. A file is there whole or not at all.
/// Errors  MachineError: disk full, permission, more bytes than the budget.
class ObjectStore {
 public:
  /// `most_bytes`: what the folder's objects may take, those that are there included; 0: any.
  /// The folder exists. What was coming in when an earlier call died is taken away.
  ObjectStore(std::filesystem::path folder, const ProjectKey& key, std::uint64_t most_bytes);

  /// Where objects of a series lie: <study>/<series>.
  [[nodiscard]] std::string series_id(std::string_view study, std::string_view series) const;
  [[nodiscard]] bool has(const std::string& series, std::string_view object) const;
  [[nodiscard]] std::int64_t count(const std::string& series) const;  ///< objects of a series that are there

  /// An object that is coming in; gone again unless keep() is called.
  class Incoming {
   public:
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    void add(std::span<const std::byte> bytes);
    void keep();

   private:
    friend class ObjectStore;
    Incoming(ObjectStore& store, std::filesystem::path place, std::string transfer_syntax);

    ObjectStore& store_;
    std::filesystem::path place_, beside_;
    std::string transfer_syntax_;
    int fd_ = -1;
    std::uint64_t bytes_ = 0;
  };
  [[nodiscard]] std::unique_ptr<Incoming> begin(const std::string& series, const ObjectFacts& facts);

  [[nodiscard]] std::uint64_t bytes_received() const { return received_; }
  /// Objects received, by transfer syntax.
  [[nodiscard]] const std::map<std::string, std::int64_t>& syntaxes() const { return syntaxes_; }

 private:
  [[nodiscard]] std::filesystem::path place_of(const std::string& series, std::string_view object) const;
  void spend(std::uint64_t bytes);

  std::filesystem::path folder_;
  const ProjectKey& key_;
  std::uint64_t most_bytes_, used_ = 0, received_ = 0;
  std::int64_t begun_ = 0;
  std::map<std::string, std::int64_t> syntaxes_;
};

}  // namespace shiftnorm::pacs
