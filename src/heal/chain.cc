#include "heal/chain.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "heal/rate_schedule.h"

namespace layerboost {
namespace {

constexpr int tokens_at_once = 2048;
constexpr double seconds_between_saves = 120;

}  // namespace

Chain::Chain(const Model& model, HealText& text, const ChainOptions& options)
    : model_(model),
      text_(text),
      options_(options),
      mixers_(model),
      native_(mixers_.list(native_specs(model.config))),
      runner_(model) {}

/// Shows `see` the inputs and targets of `layers` (rising) for sequences `first` on of the text, some at a time. The
/// inputs are those of the unchanged model, or of `below` where it isn't nullptr.
void Chain::run(std::int64_t first, int sequences, const std::vector<int>& layers, const MixerList* below,
                const See& see) {
  const int at_once = std::max(1, tokens_at_once / options_.length);
  const auto D = static_cast<std::size_t>(model_.config.hidden);
  for (int done = 0; done < sequences; done += at_once) {
    check_interrupt("stopped; the same command goes on from here");
    const CoreBatch batch{std::min(at_once, sequences - done), options_.length};
    std::vector<TokenId> tokens;
    for (int i = 0; i < batch.sequences; ++i) {
      const std::vector<TokenId> sequence = text_.sequence(first + done + i);
      tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    }
    const auto items_of = [&](std::vector<Sequence>& made, const MixerList& list) {
      std::vector<BatchItem> items;
      made.reserve(static_cast<std::size_t>(batch.sequences));
      for (int i = 0; i < batch.sequences; ++i)
        items.push_back(
            {&made.emplace_back(list, pools_), std::span(tokens).subspan(static_cast<std::size_t>(i * options_.length),
                                                                         static_cast<std::size_t>(options_.length))});
      return items;
    };
    std::vector<Sequence> unchanged, changed;
    const std::vector<BatchItem> items = items_of(unchanged, native_);
    const std::size_t count = tokens.size() * D;
    float* const hidden = hidden_.reserve_as<float>(count);
    float* const before = before_.reserve_as<float>(count);
    float* const target = target_.reserve_as<float>(count);
    runner_.embed(tokens, hidden);
    int layer = 0;
    for (const int next : layers) {
      runner_.run_layers(items, hidden, layer, next);
      std::copy_n(hidden, count, before);
      runner_.mix(items, hidden, next);
      for (std::size_t i = 0; i < count; ++i) target[i] = hidden[i] - before[i];
      const float* input = before;
      if (below != nullptr) {
        const std::vector<BatchItem> changed_items = items_of(changed, *below);
        float* const own = below_.reserve_as<float>(count);
        runner_.embed(tokens, own);
        runner_.run_layers(changed_items, own, 0, next);
        input = own;
      }
      see(next, input, target, batch);
      if (next != layers.back()) runner_.mlp(hidden, static_cast<int>(tokens.size()), next);
      layer = next + 1;
    }
  }
}

void Chain::fit(Stages& stages, std::int64_t first, const MixerList* below) {
  std::vector<int> layers;
  for (const auto& [layer, stage] : stages) layers.push_back(layer);
  run(first, std::max(1, options_.fit_tokens / options_.length), layers, below,
      [&](int layer, const float* hidden, const float* target, const CoreBatch& batch) {
        stages.at(layer)->gather(hidden, target, batch);
      });
  for (const auto& [layer, stage] : stages) stage->fit();
}

/// Fits, trains, fits again.
void Chain::train_stages(Stages& stages, std::int64_t tokens, const MixerList* below, const Watcher& watcher) {
  std::vector<int> layers;
  for (const auto& [layer, stage] : stages) layers.push_back(layer);
  const int sequences = std::max(1, options_.batch / options_.length);
  const std::int64_t steps = std::max<std::int64_t>(1, tokens / (std::int64_t{sequences} * options_.length));
  const RateSchedule rate{options_.rate, 0.05, options_.final_rate};
  if (watcher.states.empty()) fit(stages, 0, below);
  std::int64_t done = watcher.steps;
  try {
    Stopwatch since_saved;
    while (done < steps) {
      double sum = 0;
      int count = 0;
      run(done * sequences, sequences, layers, below,
          [&](int layer, const float* hidden, const float* target, const CoreBatch& batch) {
            sum += stages.at(layer)->learn(hidden, target, batch);
            ++count;
          });
      ++done;
      for (const auto& [layer, stage] : stages) stage->update(rate.at(done, steps));
      watcher.report(done * sequences * options_.length, sum / count);
      if (watcher.save && since_saved.seconds() > seconds_between_saves) {
        watcher.save(done, stages);
        since_saved = {};
      }
    }
    fit(stages, steps * sequences, below);
  } catch (const Interrupted&) {
    if (watcher.save) watcher.save(done, stages);
    throw;
  }
}

Chain::States Chain::train_alone(const std::vector<int>& layers, const MixerSpec& spec, const Watcher& watcher) {
  Stages stages;
  for (const int layer : layers) {
    const auto known = watcher.states.find(layer);
    stages.emplace(layer,
                   std::make_unique<LayerStage>(model_, layer, spec, options_.stage,
                                                known == watcher.states.end() ? LayerStage::State{} : known->second));
  }
  train_stages(stages, options_.alone_tokens, nullptr, watcher);
  States states;
  for (const auto& [layer, stage] : stages) states.emplace(layer, stage->state());
  return states;
}

LearntLayer Chain::train(int layer, const MixerSpec& spec, LayerStage::State from, const MixerList& below,
                         const Watcher& watcher) {
  LayerStage::State state;
  if (watcher.states.empty()) {
    state.x = std::move(from.x);
    state.o = std::move(from.o);
  } else {
    state = watcher.states.at(layer);
  }
  Stages stages;
  stages.emplace(layer, std::make_unique<LayerStage>(model_, layer, spec, options_.stage, std::move(state)));
  train_stages(stages, options_.tokens, &below, watcher);
  return stages.at(layer)->learnt();
}

}  // namespace layerboost
