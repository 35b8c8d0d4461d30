#include "heal/heal_options.h"

#include "heal/rate_schedule.h"

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
  return RateSchedule{options.rate, options.warm_up, options.final_rate}.at(step, options.steps());
}

}  // namespace layerboost
