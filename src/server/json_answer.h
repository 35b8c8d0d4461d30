// JSON as an answer's body.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "layerboost/types.h"
#include "server/http.h"

namespace layerboost {

/// JSON on one line; bytes that aren't UTF-8 become U+FFFD.
inline std::string json_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// What is between the braces of an object, to be put among other members.
inline std::string json_members(const Json& object) {
  const std::string json = json_line(object);
  return json.substr(1, json.size() - 2);
}

/// Appends a list of ids.
inline void write_ids(const std::vector<TokenId>& ids, std::string& json) {
  fmt::format_to(std::back_inserter(json), "[{}]", fmt::join(ids, ","));
}

inline HttpAnswer json_answer(const Json& json, int status = 200) {
  return {.status = status, .body = json_line(json) + "\n"};
}

}  // namespace layerboost
