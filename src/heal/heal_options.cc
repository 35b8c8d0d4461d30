#include "heal/heal_options.h"

#include <cmath>
#include <numbers>

namespace layerboost {

Json HealOptions::to_json() const {
  return {{"text", text},
          {"valid", valid},
          {"tokens", tokens},
          {"length", length},
          {"batch", ranks->size() == 1 ? batch : tokens_per_step()},
          {"rank", lora.rank},
          {"alpha", lora.alpha},
          {"lr", rate},
          {"warmup", warm_up},
          {"final-lr", final_rate},
          {"beta1", beta1},
          {"beta2", beta2},
          {"epsilon", epsilon},
          {"weight-decay", decay},
          {"clip", clip},
          {"kl", loss.kl},
          {"ce", loss.ce},
          {"hidden", loss.hidden},
          {"mixer-tokens", match_tokens},
          {"mixer-lr", match_rate},
          {"seed", seed},
          {"valid-every", measure_every},
          {"valid-sequences", held_out},
          {"questions", questions}};
}

double rate_at(const HealOptions& options, std::int64_t step) {
  const auto steps = static_cast<double>(options.steps()), at = static_cast<double>(step);
  const double warm = std::max(1.0, std::ceil(options.warm_up * steps));
  if (at <= warm) return options.rate * at / warm;
  const double done = (at - warm) / std::max(1.0, steps - warm);
  return options.rate * (options.final_rate + (1 - options.final_rate) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
}

}  // namespace layerboost
