#include "model/model.h"

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

RopeTable Model::rope() const {
  return {config.rope_frequencies(), config.rope.attention_factor, config.rope_frequencies(true),
          config.rope.longest_short};
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
