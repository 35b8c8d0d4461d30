// What the library has to say beside its results.
#pragma once

#include <functional>
#include <string>

#include "layerboost/export.h"

namespace layerboost {

/// The library prints nothing. What the program would say on stderr ("layerboost: calibrating model.gguf for int8,
/// once"; "layerboost: warning: ...") goes to `handler`, a line without its end at a time; nowhere while there is none,
/// as at the start, or after nullptr. The handler may be called by any thread that is in the library, by one at a time;
/// it must not throw and must not call the library. Thread-safe.
LAYERBOOST_API void set_message_handler(std::function<void(const std::string& line)> handler);

}  // namespace layerboost
