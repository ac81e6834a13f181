#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shiftnorm/adapt/mode.hpp"

namespace shiftnorm::adapt {

/// The value of a field; an enumeration by its name, std::monostate: absent.
using FieldValue = std::variant<std::monostate, std::string, std::int64_t, std::uint64_t, double, bool,
                                std::vector<std::string>, ShareList>;

/// One field of a mode. Whatever writes a mode down walks this list: canonical(), YAML, provenance; what results.json
/// keeps has the same names (a test compares them).
struct ModeField {
  std::string_view name;  ///< as in YAML; "layers.first": `first` of the map `layers`
  FieldValue (*value)(const Mode&);
  bool (*matters)(const Mode&);  ///< whether the results of such a mode depend on it; never on `name`
};

/// Every field, in the order of YAML.
[[nodiscard]] std::span<const ModeField> mode_fields();

/// What the names of a LayerRule's fields begin with.
inline constexpr std::string_view kLayerFields = "layers.";

}  // namespace shiftnorm::adapt
