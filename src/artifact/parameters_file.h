// Parameters of mixers on disk: in plans' and analyses' files beside them, in adapters and in exported models.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mixer/parameters.h"
#include "model/checkpoint.h"

namespace layerboost {

/// A tensor by itself, as files have it.
struct NamedParameter {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
/// "layers.N.KIND.NAME" for each tensor. `specs` [L]: the plan, which says what variants its mixers are; none: all are
/// as their kinds come.
std::map<std::string, NamedParameter> named_parameters(const Config& config, const MixerParameters& parameters,
                                                       std::span<const MixerSpec> specs = {});
/// The reverse. Throws Error, beginning with `where`, for names that don't exist, tensors that are missing beside
/// others of the same mixer, and wrong shapes.
MixerParameters parameters_of(const Config& config, const std::map<std::string, NamedParameter>& named,
                              const std::string& where, std::span<const MixerSpec> specs = {});

/// Tensors of any number of dimensions, read.
std::map<std::string, NamedParameter> read_named(const std::map<std::string, Tensor>& tensors);

/// Where the parameters of fitted maps lie that a plan or an analysis names: STEM.maps.safetensors beside it.
std::filesystem::path maps_beside(const std::filesystem::path& plan_or_analysis);

/// Reads and writes safetensors with those names, F32. Throws Error.
MixerParameters read_parameters(const std::filesystem::path& path, const Config& config,
                                std::span<const MixerSpec> specs = {});
void write_parameters(const std::filesystem::path& path, const Config& config, const MixerParameters& parameters,
                      std::span<const MixerSpec> specs = {});

}  // namespace layerboost
