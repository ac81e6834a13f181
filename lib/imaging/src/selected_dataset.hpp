#pragma once

#include <memory>
#include <vector>

#include "label_join.hpp"
#include "shiftnorm/imaging/dataset.hpp"

namespace shiftnorm::imaging {

/// Samples of another data set, with what tables say of them, as far as `where` and then `limit` keep them. Labels are
/// those of the last table that has a column for them; samples it does not name have none.
/// Errors  FormatError if nothing is left; ConfigError for columns that are not there; as join() and classes_of().
[[nodiscard]] std::unique_ptr<Dataset> select_samples(std::unique_ptr<Dataset> all, const std::vector<Table>& tables,
                                                      const DatasetOptions& options);

}  // namespace shiftnorm::imaging
