// Analyses for tests.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "artifact/analysis_file.h"
#include "base/random.h"

namespace layerboost {

inline const MixerSpec softmax_spec = {MixerKind::softmax, 0, 0};
inline const MixerSpec none_spec = {MixerKind::none, 0, 0};
inline const MixerSpec map_spec = {MixerKind::map, 0, 0};
inline const MixerSpec window64 = {MixerKind::window, 64, 4};
inline const MixerSpec window256 = {MixerKind::window, 256, 4};

/// A model of `layers` layers in the shape of the default one, without scores.
inline Analysis empty_analysis(int layers) {
  Analysis analysis;
  analysis.model.hash = "sha256:m";
  Config& c = analysis.model.config;
  c.name = "test";
  c.arch = "llama";
  c.layers = layers;
  c.hidden = 576;
  c.heads = 9;
  c.kv_heads = 3;
  c.head_size = 64;
  c.windows.assign(static_cast<std::size_t>(layers), 0);
  analysis.data.source = "self";
  return analysis;
}

/// Removal scores `kl` of each layer.
inline Analysis removal_analysis(const std::vector<double>& kl) {
  Analysis analysis = empty_analysis(static_cast<int>(kl.size()));
  analysis.choices = {none_spec};
  analysis.measures = {"kl"};
  for (std::size_t l = 0; l < kl.size(); ++l)
    analysis.layers[static_cast<int>(l)].choices[none_spec]["kl"] = {kl[l], 0.001, {}};
  return analysis;
}

/// Random scores for none, two windows and map, by KL and retrieval.
inline Analysis random_analysis(int layers, std::uint64_t seed) {
  Random random(seed);
  Analysis analysis = empty_analysis(layers);
  analysis.choices = {none_spec, window64, window256, map_spec};
  analysis.measures = {"kl", "retrieval"};
  for (int l = 0; l < layers; ++l) {
    const double scale = std::exp(2 * random.normal() - 3);
    for (const MixerSpec& choice : analysis.choices) {
      const double size = choice == none_spec ? 1 : choice == map_spec ? 0.5 : choice == window64 ? 0.1 : 0.03;
      Scores& scores = analysis.layers[l].choices[choice];
      scores["kl"] = {scale * size * (0.5 + random.uniform()), 0.001, {}};
      scores["retrieval"] = {scale * size * (random.uniform() - 0.2), 0.01, {}};
    }
  }
  return analysis;
}

}  // namespace layerboost
