// The names by which a server may be asked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace layerboost {

/// A page of any site can let its own name mean this machine's address (DNS rebinding); the browser then takes a server
/// here for the site's own. What gives such requests away is the name in their Host header.
class AllowedHosts {
 public:
  /// Everybody may ask by any name.
  AllowedHosts() = default;
  /// Only these names are allowed: `names`, "localhost", "NAME.localhost", "NAME.internal", any IP address, and names
  /// without a dot, which no site has but a hostile network can give one. Throws Error for names that can't be one
  /// (with a port, say).
  explicit AllowedHosts(const std::vector<std::string>& names);

  /// `host`: as the header has it, perhaps with a port; empty: allowed, because no browser asks so. `by_own_page`: a
  /// page asks that was loaded under that name, for which being without a dot isn't enough; browsers say so in all
  /// requests but plain GETs.
  [[nodiscard]] bool allow(std::string_view host, bool by_own_page) const;

 private:
  bool any_ = true;
  std::vector<std::string> names_;  // in small letters
};

}  // namespace layerboost
