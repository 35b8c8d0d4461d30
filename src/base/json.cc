#include "base/json.h"

#include <algorithm>

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace layerboost {
namespace {

template <typename AnyJson>
AnyJson parse(std::string_view text, std::string_view where) {
  constexpr int max_depth = 64;
  const auto limit_depth = [&](int depth, typename AnyJson::parse_event_t, AnyJson&) {
    if (depth > max_depth) fail("{}: JSON nested deeper than {}", where, max_depth);
    return true;
  };
  try {
    return AnyJson::parse(text, limit_depth);
  } catch (const nlohmann::json::parse_error& error) {
    fail("{}: not valid JSON at byte {}", where, error.byte);
  } catch (const nlohmann::json::exception&) {
    fail("{}: not valid JSON", where);
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view where) { return parse<Json>(text, where); }

SortedJson parse_sorted_json(std::string_view text, std::string_view where) { return parse<SortedJson>(text, where); }

Json read_json(const fs::path& path) { return parse_json(read_file(path), path.string()); }

void write_json(const fs::path& path, const Json& json) {
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void refuse_unknown_keys(const Json& object, std::initializer_list<std::string_view> allowed, std::string_view where) {
  if (!object.is_object()) fail("{}: expected a JSON object", where);
  for (const auto& [key, value] : object.items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      fail("{}: unknown key \"{}\"; allowed: {}", where, key, fmt::join(allowed, ", "));
  }
}

}  // namespace layerboost
