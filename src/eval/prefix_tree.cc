#include "eval/prefix_tree.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {
namespace {

/// What a fork costs (a copy of a cache page in each layer, one more short span in each attention), in rows.
constexpr std::size_t fork_cost = 4;

/// Requests order[low .. high), whose inputs agree at least up to position `from`, which is where `parent` ends.
struct Branch {
  std::size_t low, high, from;
  int parent;
};

class TreeBuilder {
 public:
  TreeBuilder(std::span<const Request> requests, const RopeConfig& rope)
      : requests_(requests), rope_(rope), inputs_(requests.size()) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i].continuation.empty()) continue;
      inputs_[i] = requests[i].context;
      inputs_[i].insert(inputs_[i].end(), requests[i].continuation.begin(), requests[i].continuation.end() - 1);
      order_.push_back(i);
    }
    // In lexicographic order, what the first and the last of a range share is shared by all between.
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      if (rotations(a) != rotations(b)) return rotations(a) < rotations(b);
      return inputs_[a] != inputs_[b] ? inputs_[a] < inputs_[b] : a < b;
    });
  }

  std::vector<TokenRun> build() {
    for (std::size_t low = 0, high = 0; low < order_.size(); low = high) {
      while (high < order_.size() && rotations(order_[high]) == rotations(order_[low])) ++high;
      open_.push_back({low, high, 0, -1});
    }
    while (!open_.empty()) {
      const Branch branch = open_.back();
      open_.pop_back();
      grow(branch);
    }
    return std::move(runs_);
  }

 private:
  [[nodiscard]] int rotations(std::size_t request) const {
    return rope_.rotations(static_cast<int>(inputs_[request].size()));
  }
  const std::vector<TokenId>& input(std::size_t place) const { return inputs_[order_[place]]; }

  void grow(const Branch& branch) {
    const auto& first = input(branch.low);
    const auto& last = input(branch.high - 1);
    const std::size_t common = static_cast<std::size_t>(
        std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first - first.begin());
    const std::vector<std::size_t> cuts = cuts_at(branch, common);
    const std::size_t children = cuts.size() - 1;
    const bool shared = children == 1 || (common - branch.from) * (children - 1) >= fork_cost * children;
    int parent = branch.parent;
    std::size_t from = branch.from;
    if (shared) {
      add_run(branch, common);
      parent = static_cast<int>(runs_.size()) - 1;
      from = common;
    }
    for (std::size_t i = children; i-- > 0;) {
      if (shared && input(cuts[i]).size() == common) continue;  // these end with the shared run
      open_.push_back({cuts[i], cuts[i + 1], from, parent});
    }
  }

  /// Where the range falls apart into groups that differ at position `common`.
  std::vector<std::size_t> cuts_at(const Branch& branch, std::size_t common) const {
    const auto token_at = [&](std::size_t place) {
      return common < input(place).size() ? input(place)[common] : TokenId{-1};
    };
    std::vector<std::size_t> cuts = {branch.low};
    for (std::size_t i = branch.low + 1; i < branch.high; ++i) {
      if (token_at(i) != token_at(i - 1)) cuts.push_back(i);
    }
    cuts.push_back(branch.high);
    return cuts;
  }

  void add_run(const Branch& branch, std::size_t end) {
    TokenRun run;
    run.parent = branch.parent;
    run.rotations = rotations(order_[branch.low]);
    const auto tokens = input(branch.low).begin();
    run.tokens.assign(tokens + static_cast<std::ptrdiff_t>(branch.from), tokens + static_cast<std::ptrdiff_t>(end));
    for (std::size_t i = branch.low; i < branch.high; ++i) {
      const Request& request = requests_[order_[i]];
      const std::size_t first_target = request.context.size() - 1;
      for (std::size_t row = std::max(branch.from, first_target); row < end; ++row) {
        const TokenId token = request.continuation[row - first_target];
        run.targets.push_back({static_cast<int>(row - branch.from), token, static_cast<int>(order_[i])});
      }
    }
    std::stable_sort(run.targets.begin(), run.targets.end(),
                     [](const Target& a, const Target& b) { return a.row < b.row; });
    runs_.push_back(std::move(run));
  }

  std::span<const Request> requests_;
  const RopeConfig& rope_;
  std::vector<std::vector<TokenId>> inputs_;
  std::vector<std::size_t> order_;
  std::vector<Branch> open_;
  std::vector<TokenRun> runs_;
};

}  // namespace

std::vector<TokenRun> build_prefix_tree(std::span<const Request> requests, const RopeConfig& rope) {
  return TreeBuilder(requests, rope).build();
}

RunReader::RunReader(Subject& subject, std::span<const TokenRun> runs)
    : subject_(subject), runs_(runs), sequences_(runs.size()), children_left_(runs.size(), 0) {
  const int vocab = subject.model.config.vocab;
  for (const TokenRun& run : runs) {
    if (run.parent >= 0) ++children_left_[static_cast<std::size_t>(run.parent)];
    for (const Target& target : run.targets)  // the last of a request is read by nobody, who would refuse it
      if (target.token < 0 || target.token >= vocab)
        fail("token id {} is outside the vocabulary (0 to {})", target.token, vocab - 1);
  }
}

void RunReader::begin(std::size_t run) {
  if (runs_[run].parent < 0) {
    sequences_[run].emplace(subject_.mixers, subject_.pools).set_rotations(runs_[run].rotations);
    return;
  }
  const auto parent = static_cast<std::size_t>(runs_[run].parent);
  LB_CHECK(sequences_[parent].has_value());
  if (--children_left_[parent] > 0) {
    sequences_[run].emplace(*sequences_[parent]);
  } else {  // the last child goes on with the parent's own memory
    sequences_[run] = std::move(sequences_[parent]);
    sequences_[parent].reset();
  }
}

const float* RunReader::read(std::span<const RunPiece> pieces) {
  std::vector<BatchItem> items;
  for (const RunPiece& piece : pieces) {
    const auto run = static_cast<std::size_t>(piece.run);
    if (piece.first == 0) begin(run);
    const std::span<const TokenId> tokens = runs_[run].tokens;
    items.push_back({&*sequences_[run],
                     tokens.subspan(static_cast<std::size_t>(piece.first), static_cast<std::size_t>(piece.count))});
  }
  const float* hidden = subject_.runner.forward(items);
  for (const RunPiece& piece : pieces) {
    const auto run = static_cast<std::size_t>(piece.run);
    const bool whole = piece.first + piece.count == static_cast<int>(runs_[run].tokens.size());
    if (whole && children_left_[run] == 0) sequences_[run].reset();
  }
  return hidden;
}

std::vector<int> StepTargets::index() const {
  std::vector<int> result(static_cast<std::size_t>(step_rows), -1);
  for (std::size_t i = 0; i < rows.size(); ++i) result[static_cast<std::size_t>(rows[i])] = static_cast<int>(i);
  return result;
}

StepTargets targets_of(std::span<const TokenRun> runs, std::span<const RunPiece> pieces) {
  StepTargets step;
  for (const RunPiece& piece : pieces) {
    const std::vector<Target>& targets = runs[static_cast<std::size_t>(piece.run)].targets;
    const auto by_row = [](const Target& target, int row) { return target.row < row; };
    auto target = std::lower_bound(targets.begin(), targets.end(), piece.first, by_row);
    for (; target != targets.end() && target->row < piece.first + piece.count; ++target) {
      const int row = step.step_rows + target->row - piece.first;
      if (step.rows.empty() || step.rows.back() != row) {
        step.rows.push_back(row);
        step.first.push_back(static_cast<int>(step.targets.size()));
      }
      step.targets.push_back(*target);
    }
    step.step_rows += piece.count;
  }
  step.first.push_back(static_cast<int>(step.targets.size()));
  return step;
}

}  // namespace layerboost
