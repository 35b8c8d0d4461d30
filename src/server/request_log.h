// One line for each request: who asked for what, what came of it, and how long it took. Nothing of its text.
#pragma once

#include <ctime>
#include <string>

#include "server/http.h"

namespace layerboost {

/// "request time=2026-01-31T23:59:59Z id=... method=POST path=/v1/completions status=200 queued_s=0.001
/// first_token_s=0.120 total_s=0.930 prompt_tokens=12 generated_tokens=16"; "-" stands for what there isn't. One line
/// of printable ASCII whatever the client sent, without spaces or quotes within a value. `now`: seconds since 1970.
/// `with_levels`: " first_level=0 level=2" at its end, for servers that have several.
std::string request_line(const RequestRecord& record, std::time_t now, bool with_levels = false);

}  // namespace layerboost
