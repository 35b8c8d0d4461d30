#include "server/request_fields.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/in_quotes.h"
#include "base/nearest.h"
#include "server/api_error.h"
#include "server/request_field_table.h"

namespace layerboost {
namespace {

constexpr const char* path_of(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::completions:
      return "/v1/completions";
    case Endpoint::chat:
      return "/v1/chat/completions";
    case Endpoint::tokenize:
      return "/tokenize";
    case Endpoint::detokenize:
      return "/detokenize";
    case Endpoint::embeddings:
      return "/v1/embeddings";
    case Endpoint::responses:
      return "/v1/responses";
  }
  return "";
}

bool asks_for_nothing(const RequestField& field, const Json& value) {
  if (!field.neutral.empty()) {
    const Json values = Json::parse(field.neutral);
    return std::find(values.begin(), values.end(), value) != values.end();
  }
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value == false || (value.is_structured() && value.empty());
}

/// The name that a field has within the object that it belongs to, where that is `object`; "": a request's body.
std::optional<std::string_view> name_within(const RequestField& field, std::string_view object) {
  const std::size_t dot = field.name.find('.');
  const std::string_view of = dot == std::string_view::npos ? "" : field.name.substr(0, dot);
  if (of != object) return std::nullopt;
  return field.name.substr(dot == std::string_view::npos ? 0 : dot + 1);
}

/// Throws ApiError for what the table doesn't have of `object`, or can't do. `where`: what has these fields.
void check_names(const Json& json, std::string_view object, Endpoint endpoint, const std::string& where) {
  std::vector<std::pair<std::string_view, const RequestField*>> known;
  for (const RequestField& field : request_field_table()) {
    const auto name = name_within(field, object);
    if (name && (field.endpoints & static_cast<int>(endpoint)) != 0) known.emplace_back(*name, &field);
  }
  const std::string prefix = object.empty() ? "" : std::string(object) + ".";
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    const std::string path = prefix + name;
    const auto entry = std::ranges::find(known, std::string_view(name), &decltype(known)::value_type::first);
    if (entry == known.end()) {
      std::vector<std::string> names;
      for (const auto& [other, field] : known)
        if (field->use == Use::effect) names.emplace_back(other);
      const std::string meant = did_you_mean(name, names);
      constexpr std::size_t longest_param = 64;
      refuse(name.size() <= longest_param ? path : "", "{} has no field {}{}", where, in_quotes(path),
             meant.empty() ? "; leave it out" : meant);
    }
    const RequestField& field = *entry->second;
    if (field.use != Use::neutral || asks_for_nothing(field, value)) continue;
    refuse(path, "\"{}\" would change the answer and is not supported by this server; {}", path,
           field.advice.empty() ? "leave it out" : field.advice);
  }
}

}  // namespace

void check_fields(const Json& body, Endpoint endpoint) { check_names(body, "", endpoint, path_of(endpoint)); }

void check_options(const Json& options, const char* object, Endpoint endpoint) {
  check_names(options, object, endpoint, fmt::format("\"{}\"", object));
}

}  // namespace layerboost
