#include "server/api_error.h"

#include "server/json_answer.h"

namespace layerboost {

HttpAnswer ApiError::answer() const {
  const auto text_or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  HttpAnswer answer = json_answer(
      {{"error",
        {{"message", what()}, {"type", type_}, {"param", text_or_null(param_)}, {"code", text_or_null(code_)}}}},
      status_);
  answer.headers = headers_;
  return answer;
}

}  // namespace layerboost
