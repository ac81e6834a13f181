#include "shiftnorm/toolkit/session_cache.hpp"

#include "result_cache.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"

namespace shiftnorm::toolkit {
namespace {

/// A sweep over many networks must not hold them all.
constexpr std::size_t kMostModels = 4, kMostDatasets = 4;

}  // namespace

RestoredModel SessionCache::model(const std::string& key, const Restore& restore) {
  return key.empty() ? restore() : kept_model(key, restore);
}

const RestoredModel& SessionCache::kept_model(const std::string& key, const Restore& restore) {
  if (const auto found = models_.find(key); found != models_.end()) return found->second;
  if (models_.size() >= kMostModels) models_.clear();
  return models_.emplace(key, restore()).first->second;
}

std::unique_ptr<imaging::Dataset> SessionCache::dataset(const std::string& key, const Open& open) {
  if (key.empty()) return open();
  if (const auto found = datasets_.find(key); found != datasets_.end()) return found->second.view();
  if (datasets_.size() >= kMostDatasets) datasets_.clear();
  return datasets_.emplace(key, imaging::KeptImages(open(), image_bytes_)).first->second.view();
}

std::shared_ptr<imaging::SampleStore> SessionCache::store(Part part, const std::string& key, const Load& load) {
  if (key.empty()) return load();
  Samples& samples = samples_[part];
  if (!samples.store || samples.key != key) {
    samples = {};  // before more is taken
    samples.store = load();
    samples.key = key;
  }
  return samples.store;
}

std::shared_ptr<adapt::Engine> SessionCache::engine(const std::string& key, const Compile& compile) {
  if (key.empty()) return compile();
  if (const auto found = engines_.find(key); found != engines_.end()) return found->second;
  if (engines_.size() >= kMostModels) engines_.clear();
  return engines_.emplace(key, compile()).first->second;
}

std::shared_ptr<ResultCache> SessionCache::work(Part part, const std::shared_ptr<adapt::Engine>& engine,
                                                const std::shared_ptr<imaging::SampleStore>& store) {
  std::shared_ptr<ResultCache>& work = samples_[part].work;
  if (!work || !work->is_on(*engine, *store))
    work = std::make_shared<ResultCache>(engine, store, part == Part::target ? "target" : "source");
  return work;
}

const std::string& SessionCache::file_hash(const std::string& path) {
  if (const auto found = file_hashes_.find(path); found != file_hashes_.end()) return found->second;
  std::string hash;
  if (std::filesystem::is_regular_file(path)) hash = sha256_hex(read_file(path));
  return file_hashes_.emplace(path, std::move(hash)).first->second;
}

const std::string& SessionCache::fingerprint(const std::string& key, const imaging::Dataset& dataset) {
  const auto found = fingerprints_.find(key);
  return found != fingerprints_.end() ? found->second : fingerprints_.emplace(key, dataset.fingerprint()).first->second;
}

}  // namespace shiftnorm::toolkit
