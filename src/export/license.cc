#include "export/license.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "export/code.h"

namespace layerboost {
namespace {

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// `text` as an identifier of a licence; "other" for what can't be one.
std::string license_id(const std::string& text) {
  constexpr std::size_t longest = 60;
  const std::string id = lower_case(text);
  const bool good = id.size() <= longest && std::all_of(id.begin(), id.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '+' || c == '_';
                    });
  return good ? id : "other";
}

/// The value of `license:` in the metadata at the beginning of a model card; empty: none.
std::string license_in_card(const fs::path& card) {
  std::istringstream lines(read_file(card));
  std::string line;
  if (!std::getline(lines, line) || !line.starts_with("---")) return "";
  constexpr std::string_view key = "license:";
  while (std::getline(lines, line) && !line.starts_with("---")) {
    if (!line.starts_with(key)) continue;
    std::string value = line.substr(key.size());
    std::erase_if(value, [](unsigned char c) { return std::isspace(c) != 0 || c == '"' || c == '\''; });
    return value;
  }
  return "";
}

bool is_license_file(const fs::path& path) {
  constexpr std::array beginnings = {"license", "licence", "notice", "copying"};
  const std::string name = lower_case(path.filename().string());
  return fs::is_regular_file(path) && std::any_of(beginnings.begin(), beginnings.end(),
                                                  [&](const char* beginning) { return name.starts_with(beginning); });
}

BaseLicense of_directory(const fs::path& base, const fs::path& directory) {
  BaseLicense license;
  if (fs::is_regular_file(base / "README.md")) license.id = license_id(license_in_card(base / "README.md"));
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(base))
    if (is_license_file(entry.path())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  for (const fs::path& file : found) {
    write_file(directory / file.filename(), read_file(file));
    license.files.push_back(file.filename().string());
  }
  return license;
}

/// Without the appendix, which is about a work of one's own.
std::string apache_license() {
  const std::string_view text = bytes_of(export_code(), "LICENSE");
  constexpr std::string_view last = "END OF TERMS AND CONDITIONS\n";
  return std::string(text.substr(0, text.find(last) + last.size()));
}

}  // namespace

BaseLicense export_license(const fs::path& base, const Config& config, const fs::path& directory) {
  BaseLicense license =
      fs::is_directory(base) ? of_directory(base, directory) : BaseLicense{license_id(config.license), {}};
  if (license.files.empty() && license.id == "apache-2.0") {
    write_file(directory / "LICENSE", apache_license());
    license.files.emplace_back("LICENSE");
  }
  return license;
}

}  // namespace layerboost
