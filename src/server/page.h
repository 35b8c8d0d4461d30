// The live page: talk to the model, and watch the server.
#pragma once

#include "server/http.h"

namespace layerboost {

/// web/serve.html with its style and script in it: one page that asks for nothing from elsewhere.
const HttpAnswer& page_answer();

}  // namespace layerboost
