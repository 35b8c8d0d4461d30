#include "model/model.h"

#include <limits>

#include "base/error.h"

namespace layerboost {

const Tokenizer& Model::text() const {
  std::call_once(tokenizer_made_,
                 [this] { tokenizer_ = std::make_unique<const Tokenizer>(weights.checkpoint->tokenizer()); });
  return *tokenizer_;
}

void Model::close_files() {
  try {
    (void)text();
  } catch (const Error&) {  // what needs it will say so
    return;
  }
  weights.checkpoint.reset();
}

RopeTable Model::rope(bool backwards) const {
  const RopeConfig& rope = config.rope;
  const auto frequencies = [&](int tokens) {
    std::vector<double> all = config.rope_frequencies(tokens);
    for (double& frequency : all) frequency = backwards ? -frequency : frequency;
    return all;
  };
  if (rope.scaling == RopeConfig::Scaling::dynamic)
    return {frequencies(1), rope.attention_factor, rope.lengths(), config.rope_exponents()};
  constexpr int of_long_texts = std::numeric_limits<int>::max();
  return {frequencies(1), rope.attention_factor, frequencies(of_long_texts), rope.longest_short};
}

std::unique_ptr<Model> load_model(std::shared_ptr<const Checkpoint> checkpoint, Precision precision,
                                  const Smoothing* smoothing, const WeightChange* change) {
  auto model = std::make_unique<Model>();
  model->path = checkpoint->path();
  model->hash = checkpoint->hash();
  model->config = checkpoint->config();
  model->precision = precision;
  model->weights = load_weights(std::move(checkpoint), precision, smoothing, change);
  return model;
}

std::unique_ptr<Model> load_model(const std::filesystem::path& path, Precision precision) {
  return load_model(open_checkpoint(path), precision);
}

}  // namespace layerboost
