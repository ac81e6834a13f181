#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/kept_images.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "shiftnorm/toolkit/restore.hpp"

namespace shiftnorm::toolkit {

class ResultCache;

/// What the runs of a sweep have in common: networks are restored and compiled once, images decoded once per data set,
/// and samples prepared, measured and evaluated once for runs that follow each other on the same data. Keys are texts
/// with everything the thing depends on; who gives them says what that is. What has an empty key is made from scratch
/// and not kept. Not thread-safe.
class SessionCache {
 public:
  explicit SessionCache(std::uint64_t image_bytes = std::uint64_t{2} << 30) : image_bytes_(image_bytes) {}

  using Restore = std::function<RestoredModel()>;
  using Open = std::function<std::unique_ptr<imaging::Dataset>()>;
  using Load = std::function<std::shared_ptr<imaging::SampleStore>()>;
  using Compile = std::function<std::shared_ptr<adapt::Engine>()>;

  [[nodiscard]] RestoredModel model(const std::string& key, const Restore& restore);
  /// The same for who only looks at it: weights are not copied. The key is not empty; there until the next network.
  [[nodiscard]] const RestoredModel& kept_model(const std::string& key, const Restore& restore);
  [[nodiscard]] std::unique_ptr<imaging::Dataset> dataset(const std::string& key, const Open& open);
  /// Whose samples: of each only the last are kept.
  enum class Part { target, source };
  [[nodiscard]] std::shared_ptr<imaging::SampleStore> store(Part part, const std::string& key, const Load& load);
  [[nodiscard]] std::shared_ptr<adapt::Engine> engine(const std::string& key, const Compile& compile);
  /// What was computed with an engine on samples; of each part only the last one's is kept.
  [[nodiscard]] std::shared_ptr<ResultCache> work(Part part, const std::shared_ptr<adapt::Engine>& engine,
                                                  const std::shared_ptr<imaging::SampleStore>& store);
  /// SHA-256 of a file; empty if there is no such file.
  [[nodiscard]] const std::string& file_hash(const std::string& path);
  /// Dataset::fingerprint() of a data set opened here.
  [[nodiscard]] const std::string& fingerprint(const std::string& key, const imaging::Dataset& dataset);

 private:
  std::uint64_t image_bytes_;
  std::map<std::string, RestoredModel> models_;
  std::map<std::string, imaging::KeptImages> datasets_;
  std::map<std::string, std::shared_ptr<adapt::Engine>> engines_;
  std::map<std::string, std::string> file_hashes_, fingerprints_;
  struct Samples {
    std::string key;
    std::shared_ptr<imaging::SampleStore> store;
    std::shared_ptr<ResultCache> work;
  };
  std::map<Part, Samples> samples_;
};

}  // namespace shiftnorm::toolkit
