#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "shiftnorm/adapt/engine.hpp"
#include "shiftnorm/results/results.hpp"
#include "shiftnorm/toolkit/domains.hpp"
#include "shiftnorm/toolkit/events.hpp"
#include "shiftnorm/toolkit/export.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::toolkit {

/// One network and one data set. The first four are what every call gives; `session` holds everything else about the
/// network, the data and the machine.
struct RecalibrateOptions {
  std::filesystem::path checkpoint = {};
  std::string architecture = {};    ///< a name of zoo, for files that hold weights only
  std::filesystem::path data = {};  ///< a folder, a table, DICOM objects or an array file
  std::string preprocess = {};      ///< a preset's name or a YAML file of steps; empty: what provenance says
  adapt::Mode mode = {.name = "adabn"};
  SessionOptions session = {};
  bool until_settled = false;      ///< twice as many images each round until every layer has settled
  bool small_cohort = false;       ///< export from fewer than kSmallestCohort patients
  bool to_inference = false;       ///< ONNX: layers in training mode are set to inference mode
  std::filesystem::path out = {};  ///< where the result will be written: what forbids it is reported before the work
  std::filesystem::path interrupted = {};  ///< where an estimate that is interrupted is kept; empty: nowhere
  bool resume = false;                     ///< go on from there
  Events events = {};
};

/// A network with the statistics of a data set, ready to be written.
struct Adapted {
  Session session;
  adapt::Mode mode;  ///< as carried out: of policy matched, with its mixture
  std::optional<results::MixtureFacts> mixture;
  adapt::ModeResult result;
  DataFacts facts;                                  ///< of the data, for provenance
  std::int64_t images = 0;                          ///< that were measured
  results::Settling settling;                       ///< no layers if nothing was measured
  std::vector<stats::LayerDistance> drift;          ///< from the source's statistics; empty if nothing was measured
  std::vector<results::BadFile> bad;                ///< files and images left out
  std::vector<std::string> notes;                   ///< what the user should know of the estimate, one line each
  bool small_cohort = false, to_inference = false;  ///< as asked for

  /// The adapted checkpoint for a file of that name, with its provenance. The extensions .onnx and .safetensors
  /// convert. Errors  as export_checkpoint().
  [[nodiscard]] Exported exported(const std::filesystem::path& file) const;
  /// What was measured, before the policy, as the bytes of a .bnstats file.
  [[nodiscard]] std::vector<std::byte> statistics_file() const;
  /// exported() beside its provenance, each whole or not there. Errors  as OutputFiles.
  void write(const std::filesystem::path& file) const;
};

/// Restores the network, measures its BatchNorms on the data and applies the mode's policy. Labels are not used.
/// Errors  ConfigError for a mode that no file can hold, and for too small a cohort where `out` is given; as
///         open_session() and adapt::Engine::run(); Interrupted, with what was reached kept under `interrupted`.
[[nodiscard]] Adapted recalibrate(const RecalibrateOptions& options);

/// Several domains of one data set, each with statistics of its own.
struct AdaptedDomains {
  Session session;
  adapt::Mode mode;  ///< that was asked for
  Domains domains;
  std::vector<adapt::Domain> treated;
  std::vector<std::optional<results::MixtureFacts>> mixtures;  ///< of the domains, under policy matched
  adapt::DomainResults results;
  std::vector<results::BadFile> bad;
  std::vector<std::string> notes;
  bool small_cohort = false, to_inference = false;  ///< as asked for

  [[nodiscard]] DataFacts facts(std::size_t domain) const;
  /// An adapted checkpoint for each domain, net.DOMAIN.pth for net.pth; their statistics where a name is given;
  /// and the index, net.pth.domains.json. The names of the checkpoints, in the order of the domains.
  [[nodiscard]] std::vector<std::filesystem::path> put(OutputFiles& files, const std::filesystem::path& out,
                                                       const std::optional<std::filesystem::path>& statistics) const;
};
[[nodiscard]] std::filesystem::path domain_index_path(const std::filesystem::path& out);

/// Errors  ConfigError for `until_settled` and `resume`, which go on with one estimate; as recalibrate().
[[nodiscard]] AdaptedDomains recalibrate_domains(const RecalibrateOptions& options, const config::DomainConfig& by);

}  // namespace shiftnorm::toolkit

namespace shiftnorm {
using toolkit::recalibrate;
}
