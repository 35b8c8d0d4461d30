// The live page: talk to the model, and watch the server.
#pragma once

#include <span>

#include "base/asset.h"
#include "server/http.h"

namespace layerboost {

/// The page's files (web/serve.*), built into the program.
std::span<const Asset> serve_assets();

/// web/serve.html with its style and script in it: one page that asks for nothing from elsewhere.
const HttpAnswer& page_answer();

}  // namespace layerboost
