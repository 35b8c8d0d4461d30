#include "server/allowed_hosts.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {
namespace {

/// "Example.org.:8080" is "example.org", "[::1]:80" is "::1".
std::string bare_name(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  host = host.substr(0, host.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string name(host);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

bool is_address(const std::string& name) {
  in6_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 || ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

}  // namespace

AllowedHosts::AllowedHosts(const std::vector<std::string>& names) : any_(false) {
  for (const std::string& name : names) {
    const bool letters = std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '/' && c != '*'; });
    if (name.empty() || !letters || (name.find(':') != std::string::npos && !is_address(name)))
      fail("`allow-host`: {} isn't a host's name; give it as in models.example.org, without a port", in_quotes(name));
    if (!is_address(name)) names_.push_back(bare_name(name));  // addresses are allowed anyway
  }
}

bool AllowedHosts::allow(std::string_view host, bool by_own_page) const {
  if (any_ || host.empty()) return true;
  const std::string name = bare_name(host);
  if (name == "localhost" || name.ends_with(".localhost") || is_address(name)) return true;
  if (name.ends_with(".internal")) return true;  // reserved for private use: host.docker.internal
  if (!by_own_page && name.find('.') == std::string::npos) return true;
  return std::ranges::find(names_, name) != names_.end();
}

}  // namespace layerboost
