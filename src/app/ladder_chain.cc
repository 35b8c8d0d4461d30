#include "app/ladder_chain.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "analyze/joint_loss.h"
#include "artifact/ladder_weights.h"
#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "heal/chain.h"
#include "model/safetensors_file.h"
#include "model/safetensors_writer.h"

namespace layerboost {
namespace {

using States = Chain::States;

/// What layers have learnt alone, kept for the rungs to begin with.
fs::path alone_file(const fs::path& directory) { return directory / "alone.safetensors"; }
/// A stage that was stopped.
fs::path stage_file(const fs::path& directory) { return directory / "stage.safetensors"; }

// Which stage a file is of, in its metadata.
constexpr const char* stage_alone = "alone";
std::string stage_of_rung(int rung, int layer) { return fmt::format("rung {}, layer {}", rung, layer); }

/// The parts of a state by name; the first two are always there.
template <typename State>
auto parts_of(State& state) {
  return std::array{std::pair("x", &state.x),
                    std::pair("o", &state.o),
                    std::pair("m", &state.m),
                    std::pair("v", &state.v),
                    std::pair("moments", &state.moments),
                    std::pair("products", &state.products)};
}

void add_state(SafetensorsWriter& writer, int layer, const LayerStage::State& state) {
  for (const auto& [part, values] : parts_of(state))
    if (!values->empty())
      writer.add(fmt::format("layers.{}.{}", layer, part), {std::ssize(*values)}, *values, DType::f32);
}

States read_states(const fs::path& file, const std::vector<int>& layers) {
  const MappedFile mapped(file);
  const std::map<std::string, Tensor> tensors = parse_safetensors(mapped.bytes(), file.string());
  States states;
  for (const int layer : layers) {
    for (const auto& [part, values] : parts_of(states[layer])) {
      const auto found = tensors.find(fmt::format("layers.{}.{}", layer, part));
      if (found == tensors.end()) continue;
      values->resize(static_cast<std::size_t>(found->second.cols()));
      read_rows(found->second, 0, 1, values->data());
    }
    if (states[layer].x.empty() || states[layer].o.empty())
      fail("{}: has nothing of layer {}; remove it to have all learn again", file.string(), layer);
  }
  return states;
}

/// Shows how far a stage has come.
class StageProgress {
 public:
  StageProgress(const std::string& what, std::int64_t tokens) : progress_(what, tokens, "tokens") {}

  void operator()(std::int64_t tokens, double distance) {
    progress_.advance(tokens - std::exchange(tokens_, tokens));
    distance_ = distance;
    progress_.remark(fmt::format("distance {:.4f}", distance));
  }
  [[nodiscard]] double distance() const { return distance_; }  // the last one

 private:
  Progress progress_;
  std::int64_t tokens_ = 0;
  double distance_ = 0;
};

class RungTrainer {
 public:
  RungTrainer(const LadderChainTask& task, Ladder& ladder)
      : task_(task), ladder_(ladder), model_(*task.opened.model), native_(native_specs(model_.config)) {
    chain_options_.tokens = chain_options_.alone_tokens = task.options.tokens;
    chain_options_.length = task.options.length;
    chain_options_.stage.seed = task.seed;
    chain_options_.fit_tokens =
        static_cast<int>(std::min<std::int64_t>(chain_options_.fit_tokens, task.options.tokens));
  }

  void run() {
    if (ladder_.top() >= task_.rungs) return;
    const std::int64_t sequences = chain_options_.tokens / chain_options_.length + 64;
    const auto text =
        open_heal_text(model_, {task_.options.text, "", chain_options_.length, 16, sequences, task_.seed});
    Chain chain(model_, *text, chain_options_);
    const States states = learn_alone(chain);
    const std::vector<int> order = find_order(states);
    if (!ladder_.weights_hash.empty()) read_weights();
    while (ladder_.top() < task_.rungs) {
      const auto next = std::ranges::find_if(order, [&](int layer) { return !weights_.contains(layer); });
      LB_CHECK(next != order.end());
      train(chain, *next, states.at(*next));
    }
  }

 private:
  States learn_alone(Chain& chain) {
    const fs::path file = alone_file(task_.directory);
    if (kept(file, stage_alone)) return read_states(file, task_.layers);
    note("each layer alone: {} tokens", chain_options_.alone_tokens);
    StageProgress progress("layers alone", chain_options_.alone_tokens);
    States states =
        chain.train_alone(task_.layers, task_.mixer, watcher(stage_alone, task_.layers, std::ref(progress)));
    SafetensorsWriter writer;
    writer.set_metadata({{"stage", stage_alone}, {"made_with", task_.made_with}});
    for (auto& [layer, state] : states) {
      LayerStage::State learnt;  // a rung begins anew with all else
      learnt.x = std::move(state.x);
      learnt.o = std::move(state.o);
      state = std::move(learnt);
      add_state(writer, layer, state);
    }
    writer.write(file);
    fs::remove(stage_file(task_.directory));
    return states;
  }

  /// The metadata of a file of this stage, by a run with the same options; nothing where there is no such file.
  [[nodiscard]] std::optional<std::map<std::string, std::string>> kept(const fs::path& file,
                                                                       const std::string& stage) const {
    if (!fs::exists(file)) return {};
    const MappedFile mapped(file);
    auto metadata = parse_safetensors_metadata(mapped.bytes(), file.string());
    if (metadata["stage"] == stage && metadata["made_with"] == task_.made_with) return metadata;
    return {};
  }

  /// Goes on with what was kept of the stage of this name.
  [[nodiscard]] Chain::Watcher watcher(const std::string& stage, const std::vector<int>& layers,
                                       std::function<void(std::int64_t, double)> report) const {
    const fs::path file = stage_file(task_.directory);
    Chain::Watcher watcher;
    watcher.report = std::move(report);
    watcher.save = [file, stage, made_with = task_.made_with](std::int64_t steps, const Chain::Stages& stages) {
      SafetensorsWriter writer;
      writer.set_metadata({{"stage", stage}, {"made_with", made_with}, {"steps", std::to_string(steps)}});
      for (const auto& [layer, one] : stages) add_state(writer, layer, one->state());
      writer.write(file);
    };
    const auto found = kept(file, stage);
    if (!found || !found->contains("steps")) return watcher;
    watcher.steps = std::strtoll(found->at("steps").c_str(), nullptr, 10);
    watcher.states = read_states(file, layers);
    for (auto& [layer, state] : watcher.states) state.step = watcher.steps;
    note("{}: goes on after step {}", stage, watcher.steps);
    return watcher;
  }

  /// Returns the layers in the order in which they are changed: those first that lose least when each is changed alone,
  /// with what it has learnt alone. The order is kept in ladder.json.
  std::vector<int> find_order(const States& states) {
    if (ladder_.options.contains("order"))
      return get<std::vector<int>>(ladder_.options, "order", "ladder.json: options");
    LadderWeights alone;
    for (const auto& [layer, state] : states)
      alone.emplace(layer, LayerStage(model_, layer, task_.mixer, chain_options_.stage, state).learnt());
    MixerSet mixers(model_);
    use_weights(mixers, model_, alone);
    JointLoss joint(model_, mixers, task_.calibration);
    std::map<int, double> losses;
    for (const int layer : task_.layers) {
      std::vector<MixerSpec> specs = native_;
      specs[static_cast<std::size_t>(layer)] = task_.mixer;
      const JointOutcome outcome = joint.measure(specs);
      losses[layer] = outcome.kl + task_.retrieval_weight * outcome.retrieval;
      note("layer {} alone: kl {:.4f}, retrieval {:.3f}", layer, outcome.kl, outcome.retrieval);
    }
    std::vector<int> order = task_.layers;
    std::ranges::stable_sort(order, {}, [&](int layer) { return losses.at(layer); });
    ladder_.options["order"] = order;
    task_.save();
    return order;
  }

  void read_weights() {
    weights_ = read_ladder_weights(task_.directory, model_.config, ladder_.specs(ladder_.top()), ladder_.weights_hash);
  }

  void train(Chain& chain, int layer, LayerStage::State state) {
    MixerSet mixers(model_);
    use_weights(mixers, model_, weights_);
    const MixerList& below = mixers.list(ladder_.specs(ladder_.top()));
    StageProgress progress(fmt::format("rung {} of {}: layer {}", ladder_.top() + 1, task_.rungs, layer),
                           chain_options_.tokens);
    const std::string stage = stage_of_rung(ladder_.top() + 1, layer);
    weights_[layer] =
        chain.train(layer, task_.mixer, std::move(state), below, watcher(stage, {layer}, std::ref(progress)));
    ladder_.rungs.push_back({layer, task_.mixer});
    ladder_.quality.assign(ladder_.rungs.size() + 1, {});
    ladder_.weights_hash = write_ladder_weights(task_.directory, model_.config, weights_);
    read_weights();  // rounded as they are on disk
    task_.save();
    clear_up_after_rung(task_.directory, ladder_);
    note("rung {} of {}: layer {}: distance {:.4f}", ladder_.top(), task_.rungs, layer, progress.distance());
  }

  const LadderChainTask& task_;
  Ladder& ladder_;
  const Model& model_;
  const std::vector<MixerSpec> native_;
  ChainOptions chain_options_;
  LadderWeights weights_;
};

}  // namespace

void clear_up_after_rung(const fs::path& directory, const Ladder& ladder) {
  if (ladder.weights_hash.empty()) return;
  remove_other_ladder_weights(directory, ladder.weights_hash);
  const fs::path file = stage_file(directory);
  if (!fs::exists(file)) return;
  const std::string stage = parse_safetensors_metadata(MappedFile(file).bytes(), file.string())["stage"];
  if (stage == stage_alone || stage == stage_of_rung(ladder.top(), ladder.rungs.back().layer)) fs::remove(file);
}

void train_rungs(const LadderChainTask& task, Ladder& ladder) { RungTrainer(task, ladder).run(); }

}  // namespace layerboost
