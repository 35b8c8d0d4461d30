// For tests: how a request is refused.
#pragma once

#include <string>

#include "base/json.h"
#include "server/api_error.h"

namespace layerboost {

/// "STATUS PARAM: MESSAGE" of the ApiError that `read` throws, or, where it has a code, "STATUS PARAM CODE: MESSAGE";
/// "none" where it throws none.
template <typename Read>
std::string refusal_of(const Read& read) {
  try {
    read();
  } catch (const ApiError& error) {
    const Json json = Json::parse(error.answer().body)["error"];
    const std::string code = json["code"].is_null() ? "" : " " + json["code"].dump();
    return fmt::format("{} {}{}: {}", error.status(), json["param"].dump(), code, json["message"].get<std::string>());
  }
  return "none";
}

}  // namespace layerboost
