// What makes a request: its definition is a part of the library's face, as that of what it is answered with.
#pragma once

#include "layerboost/request.h"
#include "model/config.h"

namespace layerboost {

/// Throws Error, naming the field, unless the request makes sense for a model of this shape: tokens of its vocabulary,
/// at least one; no more positions than it has; sampling as check_sampling() wants it.
void check_request(const GenerationRequest& request, const Config& config);

}  // namespace layerboost
