#include "shiftnorm/experiment/shelf.hpp"

#include "shared_work.hpp"
#include "shiftnorm/core/file.hpp"
#include "shiftnorm/core/hash.hpp"

namespace shiftnorm::experiment {
namespace {

/// A sweep over many networks must not hold them all.
constexpr std::size_t kMostModels = 4, kMostDatasets = 4;

}  // namespace

const RestoredModel& Shelf::model(const std::string& key, const Restore& restore) {
  if (const auto found = models_.find(key); found != models_.end()) return found->second;
  if (models_.size() >= kMostModels) models_.clear();
  return models_.emplace(key, restore()).first->second;
}

std::unique_ptr<imaging::Dataset> Shelf::dataset(const std::string& key, const Open& open) {
  if (const auto found = datasets_.find(key); found != datasets_.end()) return found->second.view();
  if (datasets_.size() >= kMostDatasets) datasets_.clear();
  return datasets_.emplace(key, imaging::KeptImages(open(), image_bytes_)).first->second.view();
}

std::shared_ptr<imaging::SampleStore> Shelf::store(const std::string& key, const Load& load) {
  if (!store_ || store_key_ != key) {
    work_.reset();  // holds the samples too
    store_.reset();
    store_ = load();
    store_key_ = key;
  }
  return store_;
}

std::shared_ptr<adapt::Engine> Shelf::engine(const std::string& key, const Compile& compile) {
  if (const auto found = engines_.find(key); found != engines_.end()) return found->second;
  if (engines_.size() >= kMostModels) engines_.clear();
  return engines_.emplace(key, compile()).first->second;
}

std::shared_ptr<SharedWork> Shelf::work(const std::shared_ptr<adapt::Engine>& engine,
                                        const std::shared_ptr<imaging::SampleStore>& store) {
  if (!work_ || !work_->is_on(*engine, *store)) work_ = std::make_shared<SharedWork>(engine, store);
  return work_;
}

const std::string& Shelf::file_hash(const std::string& path) {
  if (const auto found = file_hashes_.find(path); found != file_hashes_.end()) return found->second;
  std::string hash;
  if (std::filesystem::is_regular_file(path)) hash = sha256_hex(read_file(path));
  return file_hashes_.emplace(path, std::move(hash)).first->second;
}

const std::string& Shelf::fingerprint(const std::string& key, const imaging::Dataset& dataset) {
  const auto found = fingerprints_.find(key);
  return found != fingerprints_.end() ? found->second : fingerprints_.emplace(key, dataset.fingerprint()).first->second;
}

}  // namespace shiftnorm::experiment
