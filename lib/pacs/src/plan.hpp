#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shiftnorm::pacs {

/// One context of an association: what is spoken of, and how it is encoded.
struct Context {
  std::string abstract_syntax;
  std::vector<std::string> transfer_syntaxes;
  bool we_provide = false;  ///< the peer calls us in it (role selection of C-GET)
};

/// PS3.8: context numbers are the odd ones of a byte.
inline constexpr std::size_t kMostContexts = 128;

/// Every transfer syntax in which objects are taken; those that no object is kept in cost a context, nothing else.
[[nodiscard]] std::span<const std::string_view> storage_syntaxes();

/// Storage SOP classes that objects of a modality use, for archives that do not say; all usual ones for a modality
/// that is not in the table.
[[nodiscard]] std::vector<std::string> classes_of_modality(std::string_view modality);

/// An object of the archive. The class is empty where the archive does not give it.
struct Instance {
  std::string uid, sop_class;
};

/// One request to the archive: a series, or some objects of it.
struct Retrieval {
  std::string study, series;
  std::vector<std::string> objects;  ///< empty: all of the series
  std::vector<std::string> classes;  ///< SOP classes that may come, sorted
};

/// How many SOP classes have room in one association beside the request's own context.
[[nodiscard]] std::size_t classes_per_association();

/// Requests for a series, each with no more classes than one association has room for.
/// `wanted`: what is missing of it; `whole`: that is all of it; `fallback`: classes of objects without a known one.
[[nodiscard]] std::vector<Retrieval> retrievals_of(std::string_view study, std::string_view series,
                                                   std::span<const Instance> wanted, bool whole,
                                                   const std::vector<std::string>& fallback);

/// Requests that share an association: consecutive ones, as long as their classes have room in it.
[[nodiscard]] std::vector<std::vector<Retrieval>> associations_of(std::vector<Retrieval> retrievals);

/// The contexts of such an association: the request's, then one for each pair of SOP class and transfer syntax. An
/// archive sends an object as it keeps it only where a context has that one transfer syntax (measured with Orthanc).
[[nodiscard]] std::vector<Context> get_contexts(std::span<const Retrieval> retrievals);

}  // namespace shiftnorm::pacs
