#pragma once

#include <string>

#include "console.hpp"
#include "options.hpp"
#include "shiftnorm/formats/checkpoint.hpp"

namespace shiftnorm::app {

void inspect_checkpoint(const formats::Checkpoint& checkpoint, const Options& options, Console& console);
/// A statistics file: `inspect FILE.bnstats` and `stats show FILE`.
void show_statistics(const std::string& where, Console& console);
/// A reference: `inspect FILE.bnref` and `stats show FILE`.
void show_reference(const std::string& where, Console& console);
void inspect_data(const std::string& where, const Options& options, Console& console);

}  // namespace shiftnorm::app
