#include "server/request_fields.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
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

/// Throws ApiError for what the table doesn't have of `object`, or can't do. `where`: what has these fields.
void check_names(const Json& json, std::string_view object, Endpoint endpoint, const std::string& where) {
  std::vector<RequestField> known;
  std::ranges::copy_if(request_field_table(), std::back_inserter(known), [&](const RequestField& field) {
    return field.object == object && (field.endpoints & static_cast<int>(endpoint)) != 0;
  });
  const std::string prefix = object.empty() ? "" : std::string(object) + ".";
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    const std::string path = prefix + name;
    const auto entry = std::ranges::find(known, std::string_view(name), &RequestField::name);
    if (entry == known.end()) {
      std::vector<std::string> names;
      for (const RequestField& field : known)
        if (field.use == Use::effect) names.emplace_back(field.name);
      const std::string meant = did_you_mean(name, names);
      constexpr std::size_t longest_param = 64;
      refuse(name.size() <= longest_param ? path : "", "{} has no field {}{}", where, in_quotes(path),
             meant.empty() ? "; leave it out" : meant);
    }
    if (entry->use != Use::neutral || asks_for_nothing(*entry, value)) continue;
    std::string advice(entry->advice.empty() ? "leave it out" : entry->advice);
    std::ranges::replace(advice, '`', '"');
    refuse(path, "\"{}\" would change the answer and is not supported by this server; {}", path, advice);
  }
}

}  // namespace

void check_fields(const Json& body, Endpoint endpoint) { check_names(body, "", endpoint, path_of(endpoint)); }

void check_options(const Json& options, const char* object, Endpoint endpoint) {
  check_names(options, object, endpoint, fmt::format("\"{}\"", object));
}

}  // namespace layerboost
