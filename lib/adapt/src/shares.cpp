#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "shiftnorm/adapt/mode.hpp"
#include "shiftnorm/core/error.hpp"
#include "shiftnorm/core/parse.hpp"
#include "shiftnorm/core/text.hpp"

namespace shiftnorm::adapt {

Shares given_shares(ShareList shares) {
  if (shares.empty()) throw ConfigError("shares: no class is named; expected class: share for each that occurs");
  std::ranges::sort(shares);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const auto& [name, share] = shares[i];
    if (!(share >= 0 && share <= 1))
      throw ConfigError(
          fmt::format("shares: {} = {}; expected a share of the images, from 0 to 1", printable(name), share));
    if (i > 0 && shares[i - 1].first == name)
      throw ConfigError(fmt::format("shares: {} is named twice; expected each class once", printable(name)));
  }
  return {SharesFrom::given, std::move(shares)};
}

Shares parse_shares(const std::string& text) {
  if (text.find('=') == std::string::npos) {
    const auto* known = kSharesFrom.find(text);
    if (known == nullptr || known->value == SharesFrom::given)
      throw ConfigError(
          fmt::format("shares = '{}'; expected estimate, labels or class=share,class=share", printable(text)));
    return {known->value, {}};
  }
  ShareList shares;
  for (const std::string& part : split(text, ',')) {
    const std::size_t sign = part.rfind('=');
    double share = 0;
    if (sign == std::string::npos || sign == 0 || !parse_whole(part.substr(sign + 1), share))
      throw ConfigError(fmt::format("shares: '{}'; expected class=share with a share from 0 to 1", printable(part)));
    shares.emplace_back(part.substr(0, sign), share);
  }
  return given_shares(std::move(shares));
}

}  // namespace shiftnorm::adapt
