// The library's face. layerboost runs pretrained decoder-only language models on CPUs, each layer with the mixer that a
// plan gives it: softmax attention, or what replaces it and keeps less of a sequence. LanguageModel opens a model with
// its plan, measures it and lets it write; ServingEngine writes many sequences at once.
//
//   cmake: find_package(layerboost REQUIRED), target_link_libraries(program PRIVATE layerboost::layerboost)
//
// examples/generate/ is a whole program. Nothing here prints, and nothing ends the process but a call that breaks a
// `Requires:`.
#pragma once

#include "layerboost/engine.h"
#include "layerboost/error.h"
#include "layerboost/messages.h"
#include "layerboost/model.h"
#include "layerboost/request.h"
#include "layerboost/sampling.h"
#include "layerboost/types.h"
#include "layerboost/version.h"

namespace layerboost {

/// The version of the library that runs, where LAYERBOOST_VERSION is that of the headers. Lives for good.
LAYERBOOST_API const char* version() noexcept;

}  // namespace layerboost
