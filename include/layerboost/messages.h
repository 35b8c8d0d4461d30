// What the library has to say beside its results: notes and warnings, lines for people that have no fixed form. It
// prints nothing itself. There is one handler for the whole process, and without one messages are dropped: a program
// that wants them in its log sets one at its start. Nothing needs to be done about a message: what went wrong is thrown
// (layerboost/error.h).
#pragma once

#include <functional>
#include <string>

#include "layerboost/export.h"

namespace layerboost {

/// The library prints nothing. What the program would say on stderr ("layerboost: calibrating model.gguf for int8,
/// once"; "layerboost: warning: ...") goes to `handler`, a line without its end at a time; nowhere while there is none,
/// as at the start, or after nullptr. The handler may be called by any thread that is in the library, by one at a time.
/// Thread-safe. Requires: the handler doesn't throw and doesn't call the library.
LAYERBOOST_API void set_message_handler(std::function<void(const std::string& line)> handler);

}  // namespace layerboost
