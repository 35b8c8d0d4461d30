// Fields that only requests of the Responses API have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/api_request.h"

namespace layerboost {

/// What "include" names where it asks for log-probabilities.
inline constexpr std::string_view include_logprobs = "message.output_text.logprobs";

/// Whether "include" asks for log-probabilities. All else that it may ask for is of items that no answer here has.
/// Throws ApiError.
bool wants_logprobs(const Fields& fields);

/// The effort that "reasoning" asks for. Throws ApiError.
std::optional<std::string> read_effort(const Fields& fields);

/// What an answer says of its request, as members of its JSON. `max_tokens`, `effort`: as they were asked for. Throws
/// ApiError for what nobody else looks at, and for more than `most` bytes.
std::string repeated_fields(const Fields& fields, const ApiRequest& request, std::optional<std::int64_t> max_tokens,
                            const std::optional<std::string>& effort, std::size_t most);

}  // namespace layerboost
