// What is behind LanguageModel, for ServingEngine, too.
#pragma once

#include <string>

#include "artifact/opened_model.h"
#include "layerboost/model.h"

namespace layerboost {

class LanguageModel::Impl {
 public:
  Impl(const std::string& model, const ModelOptions& options);

  const int threads;  // as given: 0 for one per core
  const OpenedModel opened;
  const MixerList& mixers;  // [L] of `opened`
};

}  // namespace layerboost
