#include "eval/prefix_tree.h"

#include <algorithm>
#include <numeric>

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
  explicit TreeBuilder(std::span<const Request> requests) : requests_(requests), inputs_(requests.size()) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (requests[i].continuation.empty()) continue;
      inputs_[i] = requests[i].context;
      inputs_[i].insert(inputs_[i].end(), requests[i].continuation.begin(), requests[i].continuation.end() - 1);
      order_.push_back(i);
    }
    // In lexicographic order, what the first and the last of a range share is shared by all between.
    std::sort(order_.begin(), order_.end(),
              [&](std::size_t a, std::size_t b) { return inputs_[a] != inputs_[b] ? inputs_[a] < inputs_[b] : a < b; });
  }

  std::vector<TokenRun> build() {
    if (!order_.empty()) open_.push_back({0, order_.size(), 0, -1});
    while (!open_.empty()) {
      const Branch branch = open_.back();
      open_.pop_back();
      grow(branch);
    }
    return std::move(runs_);
  }

 private:
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
  std::vector<std::vector<TokenId>> inputs_;
  std::vector<std::size_t> order_;
  std::vector<Branch> open_;
  std::vector<TokenRun> runs_;
};

}  // namespace

std::vector<TokenRun> build_prefix_tree(std::span<const Request> requests) { return TreeBuilder(requests).build(); }

}  // namespace layerboost
