#include "artifact/int8_calibration.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "generate/generate.h"
#include "kernels/bf16.h"
#include "mixer/mixers.h"
#include "model/subject.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

constexpr int sequence_count = 16, sequence_length = 160;
constexpr float smoothing_alpha = 0.5F;

float value_at(const Activations& input, int row, int column) {
  if (input.precision() == Precision::f32) return input.f32(row)[column];
  return from_bf16(input.bf16(row)[column]);
}

void widen(std::vector<float>& range, const Activations& input) {
  for (int row = 0; row < input.rows(); ++row)
    for (int column = 0; column < input.cols(); ++column) {
      float& largest = range[static_cast<std::size_t>(column)];
      largest = std::max(largest, std::fabs(value_at(input, row, column)));
    }
}

InputRanges empty_ranges(const Config& config) {
  const auto zeros = [](int size) { return std::vector<float>(static_cast<std::size_t>(size)); };
  const InputRanges::Layer layer{zeros(config.hidden), zeros(config.q_size()), zeros(config.hidden)};
  return {std::vector<InputRanges::Layer>(static_cast<std::size_t>(config.layers), layer), zeros(config.hidden)};
}

/// A token sampled from softmax(logits): the largest of logits + Gumbel noise. Another way than the sampler's would
/// find other ranges, and int8 with them other results than it has had.
TokenId sample_token(const LogitsBlock& block, std::size_t row, Random& random) {
  if (argmax(block.row(row), block.vocab) < 0) return -1;
  TokenId best = 0;
  double best_value = -1e300;
  for (int v = 0; v < block.vocab; ++v) {
    const double value =
        static_cast<double>(block.row(row)[v] * block.scale(row)) - std::log(-std::log(random.uniform() + 1e-300));
    if (value > best_value) best_value = value, best = v;
  }
  return best;
}

/// Largest |w| of each column over the rows of some tensors.
std::vector<float> column_ranges(const Checkpoint& checkpoint,
                                 const std::vector<std::pair<std::string, std::int64_t>>& tensors, std::int64_t columns,
                                 const WeightChange* change) {
  std::vector<float> ranges(static_cast<std::size_t>(columns)), row(static_cast<std::size_t>(columns));
  for (const auto& [name, rows] : tensors) {
    const Tensor& tensor = checkpoint.tensor(name, {rows, columns});
    for (std::int64_t r = 0; r < rows; ++r) {
      read_rows(tensor, r, 1, row.data());
      if (change != nullptr) change->apply(name, r, row);
      for (std::size_t j = 0; j < row.size(); ++j) ranges[j] = std::max(ranges[j], std::fabs(row[j]));
    }
  }
  return ranges;
}

std::vector<float> factors(const std::vector<float>& inputs, const std::vector<float>& weights, float alpha) {
  std::vector<float> result(inputs.size());
  double log_sum = 0;
  for (std::size_t j = 0; j < inputs.size(); ++j) {
    const float x = std::max(inputs[j], 1e-4F), w = std::max(weights[j], 1e-4F);
    result[j] = std::pow(x, alpha) / std::pow(w, 1 - alpha);
    log_sum += std::log(static_cast<double>(result[j]));
  }
  const auto mean = static_cast<float>(std::exp(log_sum / static_cast<double>(inputs.size())));
  for (float& factor : result) factor /= mean;
  return result;
}

/// [H d] -> [G d]: the largest over the query heads that share a KV head.
std::vector<float> shared_by_kv_head(const std::vector<float>& values, const Config& config) {
  std::vector<float> shared(static_cast<std::size_t>(config.kv_size()));
  const int ratio = config.heads / config.kv_heads;
  for (int head = 0; head < config.heads; ++head)
    for (int i = 0; i < config.head_size; ++i) {
      float& value = shared[static_cast<std::size_t>(head / ratio * config.head_size + i)];
      value = std::max(value, values[static_cast<std::size_t>(head * config.head_size + i)]);
    }
  return shared;
}

// ---- The file

constexpr const char* calibration_format = "layerboost-calibration";

Json to_json(const InputRanges& ranges, const std::string& hash) {
  Json json = {{"format", calibration_format}, {"version", 1}, {"model", hash}, {"head", ranges.head}};
  for (const auto& layer : ranges.layers)
    json["layers"].push_back({{"qkv", layer.qkv}, {"o", layer.o}, {"gate_up", layer.gate_up}});
  return json;
}

/// Whether `path` holds the ranges of this model; anything else there is made anew.
bool read_ranges(const fs::path& path, const std::string& hash, InputRanges& ranges) {
  if (!is_there(path)) return false;
  const std::string where = path.string();
  try {
    const Json json = read_json(path);
    if (get<std::string>(json, "format", where) != calibration_format || get<std::string>(json, "model", where) != hash)
      return false;
    const auto take = [&](const Json& object, const char* key, std::vector<float>& into) {
      const auto values = get<std::vector<float>>(object, key, where);
      if (values.size() != into.size()) fail("{}: \"{}\" has the wrong size", where, key);
      into = values;
    };
    const auto layers = get<Json>(json, "layers", where);
    if (layers.size() != ranges.layers.size()) return false;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      take(layers[l], "qkv", ranges.layers[l].qkv);
      take(layers[l], "o", ranges.layers[l].o);
      take(layers[l], "gate_up", ranges.layers[l].gate_up);
    }
    take(json, "head", ranges.head);
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Returns the ranges that the products' inputs have in the model as it was trained, or as `use` says.
InputRanges observe(const std::shared_ptr<const Checkpoint>& checkpoint, const ModelUse* use) {
  const auto model = load_model(checkpoint, Precision::bf16, nullptr, use != nullptr ? use->change : nullptr);
  const auto mixers = use != nullptr ? use->make_mixers(*model) : std::make_unique<MixerSet>(*model);
  const auto& list = mixers->list(use != nullptr ? use->specs : native_specs(model->config));
  return observe_ranges(*model, list, sequence_count, sequence_length);
}

InputRanges ranges_of(const std::shared_ptr<const Checkpoint>& checkpoint, const ModelUse* use, bool needs_text) {
  const fs::path path = checkpoint->path();
  const std::string key = checkpoint->hash() + (use != nullptr ? " " + use->key : "");
  std::vector<fs::path> files = {cache_dir() / "calibration" / (sha256(key) + ".json")};
  if (use == nullptr)
    files.insert(files.begin(),
                 fs::is_directory(path) ? path / "calibration.json" : fs::path(path.string() + ".calibration.json"));
  InputRanges ranges = empty_ranges(checkpoint->config());
  for (const fs::path& file : files)
    if (read_ranges(file, key, ranges)) return ranges;

  if (needs_text) (void)Tokenizer(checkpoint->tokenizer());
  note("calibrating {} for int8, once", path.filename().string());
  ranges = observe(checkpoint, use);
  const Json json = to_json(ranges, key);
  try {
    write_file(files.front(), json.dump());
  } catch (const Error&) {  // a model in a folder that isn't ours to write
    write_file(files.back(), json.dump());
  }
  return ranges;
}

}  // namespace

InputRanges observe_ranges(const Model& model, const MixerList& mixers, int sequences, int length) {
  InputRanges ranges = empty_ranges(model.config);
  Subject subject(model, mixers);
  subject.runner.workspace().observer = [&](int layer, Site site, const Activations& input) {
    if (site == Site::head) return widen(ranges.head, input);
    if (site == Site::down) return;  // rotated, not smoothed
    InputRanges::Layer& at = ranges.layers[static_cast<std::size_t>(layer)];
    widen(site == Site::qkv ? at.qkv : site == Site::o ? at.o : at.gate_up, input);
  };
  const Random seed(0);
  std::vector<Random> randoms;
  std::vector<std::vector<TokenId>> prompts;
  for (int i = 0; i < sequences; ++i) {
    randoms.push_back(seed.fork(static_cast<std::uint64_t>(i)));
    // Different first tokens, so that what only a first token does is seen for more than one.
    prompts.push_back({static_cast<TokenId>(randoms.back().below(static_cast<std::uint64_t>(model.config.vocab)))});
  }
  GenerateOptions options;
  const int positions = model.config.max_positions;
  options.tokens = positions > 0 ? std::min(length, positions - 1) : length;
  options.choose = [&](std::size_t i, const LogitsBlock& block, std::size_t row) {
    return sample_token(block, row, randoms[i]);
  };
  generate(subject, prompts, options);
  return ranges;
}

Smoothing smoothing_factors(const Checkpoint& checkpoint, const InputRanges& ranges, float alpha,
                            const WeightChange* change) {
  const Config& config = checkpoint.config();
  Smoothing smoothing{std::vector<LayerSmoothing>(ranges.layers.size()), {}};
  const auto columns = [&](int layer, std::initializer_list<LayerPart> parts) {
    std::vector<std::pair<std::string, std::int64_t>> tensors;
    for (const LayerPart part : parts) tensors.emplace_back(weight_name(layer, part), shape_of(config, part).out);
    return column_ranges(checkpoint, tensors, shape_of(config, *parts.begin()).in, change);
  };
  const int count = static_cast<int>(ranges.layers.size());
#pragma omp parallel for schedule(dynamic)
  for (int l = 0; l < count; ++l) {
    const InputRanges::Layer& inputs = ranges.layers[static_cast<std::size_t>(l)];
    LayerSmoothing& layer = smoothing.layers[static_cast<std::size_t>(l)];
    // Without a norm before them there is nothing to divide these products' inputs in.
    const bool norms = config.norms_before;
    if (norms) layer.gate_up = factors(inputs.gate_up, columns(l, {LayerPart::gate, LayerPart::up}), alpha);
    if (config.attention_of(l) != AttentionParts::all) continue;
    const auto o = columns(l, {LayerPart::o});
    if (norms) layer.qkv = factors(inputs.qkv, columns(l, {LayerPart::q, LayerPart::k, LayerPart::v}), alpha);
    layer.o = factors(shared_by_kv_head(inputs.o, config), shared_by_kv_head(o, config), alpha);
  }
  const auto head = column_ranges(checkpoint, {{head_name(config), config.vocab}}, config.hidden, change);
  smoothing.head = factors(ranges.head, head, alpha);
  return smoothing;
}

std::unique_ptr<Model> load_calibrated(const std::shared_ptr<const Checkpoint>& checkpoint, Precision precision,
                                       const ModelUse* use, bool needs_text) {
  const WeightChange* const change = use != nullptr ? use->change : nullptr;
  if (precision != Precision::int8) return load_model(checkpoint, precision, nullptr, change);
  const InputRanges ranges = ranges_of(checkpoint, use, needs_text);
  const Smoothing smoothing = smoothing_factors(*checkpoint, ranges, smoothing_alpha, change);
  return load_model(checkpoint, precision, &smoothing, change);
}

}  // namespace layerboost
