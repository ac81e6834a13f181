#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/config/config.hpp"
#include "shiftnorm/core/progress.hpp"
#include "shiftnorm/imaging/dataset.hpp"
#include "shiftnorm/imaging/sample_store.hpp"
#include "shiftnorm/imaging/shift.hpp"
#include "shiftnorm/imaging/transform.hpp"
#include "shiftnorm/toolkit/groups.hpp"
#include "shiftnorm/toolkit/memory_budget.hpp"
#include "shiftnorm/toolkit/restore.hpp"
#include "shiftnorm/toolkit/session_cache.hpp"

namespace shiftnorm::toolkit {

/// The adapted checkpoint that is to be written in the end.
struct Written {
  std::string file_name;      ///< says what it holds, as in ExportFacts
  bool to_inference = false;  ///< ONNX: its layers in training mode are set to inference mode
};

/// Keys of what a session takes from a cache: texts with everything the thing depends on. Empty: it is not shared.
struct SharedKeys {
  std::string model, target, samples;
  void fill(const config::Config& config);
};

struct SessionOptions {
  std::filesystem::path checkpoint;
  NetworkSource network;  ///< empty: the file holds its graph
  config::DataConfig data;
  std::uint64_t shift_seed = 0;  ///< of the synthetic changes of the images
  std::optional<imaging::Pipeline>
      preprocess;  ///< absent: the model's provenance file says, or floats enter as they are
  std::optional<config::OutputKind> outputs;
  /// A small sample of images like those of the training, for networks whose BatchNorms were folded away, and for what
  /// its labels say.
  std::optional<config::DataConfig> source;
  bool labelled_source = false;  ///< its labels will be looked for
  bool source_is_data = false;   ///< it is the data themselves: there is nothing to compare
  /// Class-wise moments of training images (.bnref), for policy `matched`, and in place of a source sample where
  /// BatchNorms were folded away; empty: what a mode needs is made from `source`.
  std::filesystem::path reference;
  std::optional<Written> written;
  std::vector<adapt::Mode>
      modes;                 ///< that will be run: what the network does not allow is reported before images are read
  bool labelled = true;      ///< false: labels do not matter, so classes need not fit the network
  bool all_outputs = false;  ///< of networks with several: modes give all of them
  int threads = 1;
  MemoryBudget memory;
  /// What other sessions left there under the same keys is taken, and what is made is left there.
  std::shared_ptr<SessionCache> cache = std::make_shared<SessionCache>();
  SharedKeys shared;
};

struct LoadedReference;

/// A network, its data and the engine, ready to run modes on.
struct Session {
  RestoredModel model;
  std::shared_ptr<const imaging::Dataset> dataset;
  std::shared_ptr<imaging::SampleStore> store;
  std::shared_ptr<adapt::Engine> engine;
  adapt::Images images;  ///< of the store
  config::OutputKind outputs = config::OutputKind::logits;
  std::string preprocess;          ///< preset name, "custom" or "none"
  imaging::Pipeline pipeline;      ///< without steps: samples enter as they are
  std::string preprocess_sha256;   ///< of imaging::canonical
  std::string source_fingerprint;  ///< of the source sample where one was measured, else empty
  std::int64_t source_images = 0;
  std::shared_ptr<const LoadedReference> reference;  ///< null: there is none
  /// Of the store, ascending: images that the measured source sample has too, or their patients.
  std::vector<std::size_t> source_knows;
  Groups patients;    ///< of usable samples, those without one counted as one; not known where no sample has one
  Groups pixels;      ///< samples of the same values
  std::string drawn;  ///< how its images were chosen of more, for records; empty: all there were
  std::string shift;  ///< the synthetic changes of the images; empty: none
  double load_seconds = 0;
  std::vector<std::string> notes;  ///< what the user should know, one line each

  [[nodiscard]] std::vector<std::int32_t> labels() const;  ///< per usable sample, -1: none
  /// Per usable sample and class, as in imaging::Sample; empty where samples have one label each, or none.
  [[nodiscard]] std::vector<std::int8_t> findings() const;
  [[nodiscard]] std::int64_t labelled() const;  ///< usable samples with a label, or a finding that is known
  [[nodiscard]] std::vector<std::string> ids() const;
  [[nodiscard]] std::optional<std::int64_t> patient_count() const;  ///< nothing where they are not known
  [[nodiscard]] std::int64_t repeated() const;                      ///< samples whose pixels an earlier one has
  [[nodiscard]] std::int64_t levels() const;
  [[nodiscard]] bool classifies() const;  ///< the first output is one vector for each sample
  [[nodiscard]] Shape output() const;     ///< of the first output, for each sample
};

/// Restores the network first, so that a wrong file is reported before any image is decoded.
/// Errors  ConfigError for images without preprocessing and for classes that do not fit the outputs; as restore(),
///         imaging::open_dataset, imaging::SampleStore and adapt::Engine.
[[nodiscard]] Session open_session(const SessionOptions& options, const Progress& progress);
/// The same with a network that is restored already, or was made otherwise; `checkpoint` and `architecture` of the
/// options are not read.
[[nodiscard]] Session open_session(RestoredModel model, const SessionOptions& options, const Progress& progress);

}  // namespace shiftnorm::toolkit
