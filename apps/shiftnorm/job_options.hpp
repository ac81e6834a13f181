#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "console.hpp"
#include "options.hpp"
#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/toolkit/output_files.hpp"
#include "shiftnorm/toolkit/run.hpp"
#include "shiftnorm/toolkit/session.hpp"

namespace shiftnorm::app {

using toolkit::OutputFiles;

/// The options that `recalibrate` and `evaluate` share: the data, how it enters the network, how it is measured.
[[nodiscard]] std::span<const OptionSpec> data_options();
[[nodiscard]] std::span<const OptionSpec> table_options();  ///< labels and columns joined to the data
[[nodiscard]] std::span<const OptionSpec> measure_options();
/// Where the network comes from: --arch or --graph, and which of the file's weights.
[[nodiscard]] std::span<const OptionSpec> network_options();
/// --memory and --max-bad, which `run` has too.
[[nodiscard]] std::span<const OptionSpec> resource_options();

[[nodiscard]] int threads_of(const Options& options);
[[nodiscard]] toolkit::BadLimit bad_limit_of(const Options& options);
[[nodiscard]] std::uint64_t seed_of(const Options& options);

/// What table_options() say. Errors  ConfigError naming the option.
void read_table_options(const Options& options, imaging::DatasetOptions& dataset);

/// --identify: checked before the work, filled after it.
void expect_identities(const Options& options, OutputFiles& files);
void set_identities(const Options& options, const imaging::Dataset& data, OutputFiles& files, Console& console);

/// --domain and what belongs to it.
[[nodiscard]] std::optional<config::DomainConfig> domain_of(const Options& options);

/// What network_options() say; `absent`, `weights`: the architecture and set when none is given. Errors  ConfigError
/// naming the option.
[[nodiscard]] toolkit::NetworkSource network_of(const Options& options, const std::string& absent = {},
                                                const std::string& weights = {});
/// ", converted from pytorch-zip to ONNX", for people; empty where the original's format was kept.
[[nodiscard]] std::string conversion(const toolkit::Exported& exported);

[[nodiscard]] imaging::Pipeline preprocess_of(const Options& options);  ///< --preprocess, which is given
[[nodiscard]] toolkit::SessionOptions session_options_of(const Options& options);
/// The mode that --policy (or --mode) and the measuring options make; `policy` names the option.
[[nodiscard]] adapt::Mode mode_of(const Options& options, std::string_view policy_option, std::string_view absent);

/// A warning for whoever uses a policy's former name.
void tell_of_policy_name(const Options& options, std::string_view policy_option, Console& console);

/// `RULE`: comma-separated patterns (`layer1.*`), `!pattern` to leave out, `first=N`, `last=N`, `min_level=N`,
/// `max_level=N`.
[[nodiscard]] adapt::LayerRule parse_layers(const std::string& rule);

inline constexpr OptionSpec kToInference{"to-inference", "",
                                         "ONNX: also write a network in training mode, set to inference mode; "
                                         "otherwise it is refused, as its runtime would ignore what is written"};

/// Says on stderr which files were bad, the first few by name.
void warn_of_bad(Console& console, std::span<const results::BadFile> bad);
/// Exit code 4 with its line when too many were bad, else 0.
[[nodiscard]] ExitCode judge_bad(Console& console, const toolkit::BadLimit& limit, std::int64_t usable,
                                 std::int64_t bad);

}  // namespace shiftnorm::app
