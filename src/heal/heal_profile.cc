#include "heal/heal_profile.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "heal/trainer.h"

namespace layerboost {

HealProfile profile_heal(const Model& model, const HealPlan& plan, const HealOptions& options) {
  const std::vector<MixerSpec> specs = plan.plan.specs();
  if (lowest_changed(model.config, specs) == model.config.layers)
    fail("{} changes nothing: there is nothing to heal", plan.path.string());
  Student student(model, specs, read_plan_maps(plan.plan, plan.path, model.config), options.lora, options.memory);
  Distiller distiller(model, student, options.loss);
  const std::size_t count = student.parameter_count();
  std::vector<float> x(count), m(count, 0), v(count, 0), gradients(count, 0);
  student.initialize(options.seed, x);
  student.assign(x);

  const int micro = micro_batch_sequences(options, student), all = options.own_sequences();
  Random random(options.seed);
  const auto learn = [&](int sequences) {
    const CoreBatch batch{sequences, options.length};
    std::vector<TokenId> tokens(static_cast<std::size_t>(batch.rows()));
    for (TokenId& token : tokens)
      token = static_cast<TokenId>(random.below(static_cast<std::uint64_t>(model.config.vocab)));
    distiller.learn(tokens, batch, gradients);
  };
  learn(micro);
  student.profile().reset();
  HealProfile result;
  const Stopwatch clock;
  std::fill(gradients.begin(), gradients.end(), 0.0F);
  for (int done = 0; done < all; done += micro) learn(std::min(micro, all - done));
  {
    const Profile::Scope time(student.profile(), Phase::optimizer);
    AdamOptions adam;
    adam.rate = options.rate;
    adam.gradient_factor = 1 / (norm_of(gradients) + 1);
    adam_step(adam, gradients, x, m, v);
    student.assign(x);
  }
  result.seconds = clock.seconds();
  result.profile = student.profile();
  result.scratch_bytes = distiller.scratch_bytes();
  result.recomputed = student.recomputed_layers({micro, options.length});
  result.roofline = measure_roofline(model.config, specs, student.lowest(), {all, options.length}, model.precision);
  return result;
}

}  // namespace layerboost
