#include "model/residual.h"

namespace layerboost {

void take_rows(const float* hidden, std::span<const int> index, const std::vector<float>& norm, const Config& config,
               Activations& out, KernelScratch& scratch) {
  if (norm.empty())
    pack_rows(hidden, index, out);
  else
    rms_norm(hidden, index, norm.data(), config.norm_eps, out, scratch);
}

void add_output(float* hidden, std::span<const int> index, const Product& output, const std::vector<float>& norm,
                const Config& config, KernelScratch& scratch) {
  if (norm.empty())
    add_rows(hidden, index, output, config.residual_scale);
  else
    add_normed_rows(hidden, index, output, norm.data(), config.norm_eps, config.residual_scale, scratch);
}

}  // namespace layerboost
