#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

class DcmItem;
class DcmTagKey;

namespace shiftnorm::imaging::dicom {

/// Values of a DcmItem as the standard means them: nothing if the element is absent, empty or of another kind.

/// All values of a text element, without padding; one empty text for an empty element.
[[nodiscard]] std::vector<std::string> texts(DcmItem& item, const DcmTagKey& key);
[[nodiscard]] std::string text(DcmItem& item, const DcmTagKey& key, std::size_t index = 0);
/// A whole number from 0 on, in whatever value representation it has: US, UL, SS, SL, IS, DS, ...
[[nodiscard]] std::optional<std::int64_t> unsigned_number(DcmItem& item, const DcmTagKey& key);
/// The same for a stored value of that sign: US or SS are taken as that sign needs.
[[nodiscard]] std::optional<std::int64_t> stored_number(DcmItem& item, const DcmTagKey& key, bool is_signed);
/// The numbers of a text or binary element; nothing where one is none, or not finite.
[[nodiscard]] std::vector<std::optional<double>> numbers(DcmItem& item, const DcmTagKey& key);
/// The 16-bit words of a US, SS, OW or OB element; of wider integers and texts the values that fit.
[[nodiscard]] std::vector<std::uint16_t> words(DcmItem& item, const DcmTagKey& key);
[[nodiscard]] bool is_signed_short(DcmItem& item, const DcmTagKey& key);
[[nodiscard]] bool has_value(DcmItem& item, const DcmTagKey& key);
[[nodiscard]] bool is_empty(DcmItem& item);  ///< no element in it has a value
/// Item `index` of a sequence; nullptr if there is none.
[[nodiscard]] DcmItem* item_of(DcmItem& item, const DcmTagKey& key, std::int64_t index = 0);

/// A decimal string (DS, IS): the whole text must be a finite number.
[[nodiscard]] std::optional<double> decimal(const std::string& text);

}  // namespace shiftnorm::imaging::dicom
