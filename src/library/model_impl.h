// What is behind LanguageModel, the library's public class: an opened model with its mixers. A ServingEngine runs on
// the same one, so that both share the weights. Other programs see the headers of include/layerboost/ alone; only this
// folder includes what is here.
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
