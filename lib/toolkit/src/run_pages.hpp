#pragma once

#include <filesystem>
#include <span>

#include "shiftnorm/toolkit/run_folder.hpp"

namespace shiftnorm::toolkit {

/// Each whole, in the folder that is there.
void write_pages(const std::filesystem::path& folder, std::span<const Page> pages);

}  // namespace shiftnorm::toolkit
