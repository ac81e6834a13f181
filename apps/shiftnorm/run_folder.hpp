#pragma once

#include <filesystem>
#include <string>

#include "shiftnorm/toolkit/run.hpp"

namespace shiftnorm::app {

/// Writes what the run keeps in the project's folder, then config.yaml, results.json, predictions.csv, report.html,
/// figures/*.svg, quarantine.csv, run.log and the export. A new folder appears whole or not at all; in one that is
/// there each file is replaced whole, results.json last.
void write_run_folder(const std::filesystem::path& folder, const toolkit::RunOutcome& outcome, const std::string& log);

}  // namespace shiftnorm::app
