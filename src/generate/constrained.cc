#include "generate/constrained.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "generate/top_tokens.h"
#include "kernels/row_ops.h"
#include "model/runner.h"

namespace layerboost {
namespace {

constexpr int tries = 4;                                   // of tokens that are drawn one after the other
constexpr std::size_t cheap_mask = std::size_t{1} << 14;   // as dear as some tokens by themselves, in ways looked at
constexpr std::size_t part_for_mask = 4;                   // of what is left: beyond it a mask isn't cheap
constexpr int few_tokens = 32, some_hundred_tokens = 256;  // the likeliest, looked at before all are

constexpr const char* too_open =
    "the form that the answer is to have leaves too much open for this server: use a simpler one, or ask for fewer "
    "choices";
constexpr const char* stuck = "no token that may come next goes on with the form that the answer is to have";

/// Makes what may not come next impossible. `ends` may where the text may end, and never as a part of it.
void leave_out(std::span<float> logits, const TokenMask& mask, std::span<const TokenId> ends, bool may_end) {
  std::vector<float> of_ends;
  for (const TokenId token : ends) of_ends.push_back(logits[static_cast<std::size_t>(token)]);
  leave_only(logits, mask);
  for (std::size_t i = 0; i < ends.size(); ++i)
    logits[static_cast<std::size_t>(ends[i])] = may_end ? of_ends[i] : out_of_reach;
}

/// A token that may come next.
struct AllowedToken {
  ScoredToken token;
  double weight;  // as exp of its logit, of one scale with others
  double before;  // what likelier ones weigh
};

/// One token, from its row of logits after all processors. What is found not to be allowed is made impossible there.
class GuidedChoice {
 public:
  GuidedChoice(std::span<float> row, const Sampling& sampling, std::span<const TokenId> ends, Guide& guide,
               Random& random)
      : row_(row), sampling_(sampling), ends_(ends), guide_(guide), random_(random), may_end_(guide.may_end()) {}

  Chosen choose() {
    try {
      if (const std::optional<Chosen> found = find()) return *found;
      const Chosen chosen = draw_by(guide_.allowed());
      if (chosen.token < 0 || allows(chosen.token)) return chosen;
      return draw_by(guide_.allowed_one_by_one());  // too much is open after that token of the mask
    } catch (const TooMuchToLookAt&) {
      return {-1, too_open, true};
    }
  }

 private:
  [[nodiscard]] int vocab() const { return static_cast<int>(row_.size()); }
  [[nodiscard]] bool is_greedy() const { return sampling_.temperature < least_temperature; }
  [[nodiscard]] bool takes_all() const { return sampling_.top_p >= 1 && sampling_.top_k == 0 && sampling_.min_p == 0; }
  /// What logits are multiplied by.
  [[nodiscard]] double sharper() const { return 1 / sampling_.temperature; }
  [[nodiscard]] bool is_end(TokenId token) const { return std::ranges::find(ends_, token) != ends_.end(); }
  float& logit(TokenId token) { return row_[static_cast<std::size_t>(token)]; }
  bool allows(TokenId token) { return is_end(token) ? may_end_ : guide_.allows(token); }

  /// What can be told from some tokens; nullopt: it depends on all, or the mask is cheap.
  std::optional<Chosen> find() {
    // Where nothing else depends on all tokens, most of those that come first are allowed.
    if (takes_all() || is_greedy())
      if (const std::optional<Chosen> found = draw_one_by_one()) return found;
    if (guide_.allowed(std::min(cheap_mask, guide_.left() / part_for_mask)) != nullptr) return std::nullopt;
    for (const int count : {few_tokens, some_hundred_tokens})
      if (const std::optional<Chosen> found = draw_among_likeliest(count)) return found;
    return std::nullopt;
  }

  /// `mask` nullptr: too much is open behind all tokens but those that end the text.
  Chosen draw_by(const std::shared_ptr<const TokenMask>& mask) {
    if (mask == nullptr && (!may_end_ || ends_.empty())) return {-1, too_open, true};
    leave_out(row_, mask != nullptr ? *mask : TokenMask(row_.size() / 64 + 1), ends_, may_end_);
    if (pending_ >= 0 && logit(pending_) > out_of_reach && is_in_nucleus_of_row(pending_)) return {pending_};
    pending_ = -1;
    return draw();
  }

  Chosen draw() {
    const TokenId token = sample(row_.data(), 1, vocab(), sampling_, random_);
    if (token >= 0 && logit(token) > out_of_reach) return {token};
    return none_is_left(row_) ? Chosen{-1, stuck, true} : Chosen{-1, damaged_model};
  }

  /// Draws until a token is allowed, which is drawn as among those that are. nullopt: none of some is.
  std::optional<Chosen> draw_one_by_one() {
    for (int i = 0; i < tries; ++i) {
      const Chosen chosen = draw();
      if (chosen.token < 0 || allows(chosen.token)) return chosen;
      logit(chosen.token) = out_of_reach;
    }
    return std::nullopt;
  }

  /// nullopt: what comes next depends on tokens that aren't among the `count` likeliest.
  std::optional<Chosen> draw_among_likeliest(int count) {
    const std::vector<ScoredToken> seen = top_tokens(row_.data(), vocab(), count);
    std::vector<AllowedToken> likely;
    double sum = 0;
    for (const ScoredToken& token : seen) {
      if (token.logit <= out_of_reach) break;
      if (!allows(token.id)) {
        logit(token.id) = out_of_reach;
        continue;
      }
      if (is_greedy()) return Chosen{token.id};
      const float most = likely.empty() ? token.logit : likely.front().token.logit;
      likely.push_back({token, std::exp(static_cast<double>(token.logit - most) * sharper()), sum});
      sum += likely.back().weight;
    }
    if (likely.empty()) return std::nullopt;
    const double all = weight_of_row(likely.front().token.logit);
    if (!std::isfinite(all)) return Chosen{-1, damaged_model};
    if (sampling_.top_k > 0 || sampling_.min_p > 0) return draw_counted(likely, seen);
    return draw_in_nucleus(likely, sum, std::max(0.0, all - sum));
  }

  /// What top_k and min_p leave, and top_p of these.
  std::optional<Chosen> draw_counted(std::vector<AllowedToken>& likely, const std::vector<ScoredToken>& seen) {
    const auto most = static_cast<std::size_t>(sampling_.top_k);
    const double least = sampling_.min_p > 0
                             ? static_cast<double>(likely.front().token.logit) + std::log(sampling_.min_p) / sharper()
                             : static_cast<double>(out_of_reach);
    const bool is_full = most > 0 && likely.size() >= most;
    if (!is_full && static_cast<double>(seen.back().logit) >= least && std::ssize(seen) < vocab()) return std::nullopt;
    if (is_full) likely.resize(most);
    std::erase_if(likely, [&](const AllowedToken& each) { return static_cast<double>(each.token.logit) < least; });
    const double sum = likely.back().before + likely.back().weight;
    std::erase_if(likely, [&](const AllowedToken& each) { return each.before >= sampling_.top_p * sum; });
    return Chosen{pick(likely, random_.uniform() * (likely.back().before + likely.back().weight))};
  }

  /// Draws among all tokens until one is allowed and in the nucleus of top_p, so that it is drawn as among those that
  /// are: what its likelier ones weigh has to be less than top_p of what all that are allowed do. `sum`: what `likely`
  /// weigh, as much as these at least; `unknown`: the others. Where it can't be said of the token that was drawn, it is
  /// kept until it can, so that none becomes less likely for being hard to tell.
  std::optional<Chosen> draw_in_nucleus(const std::vector<AllowedToken>& likely, double sum, double unknown) {
    const float best = likely.front().token.logit;
    for (int i = 0; i < tries; ++i) {
      if (pending_ < 0) {
        if (sum < unknown) break;  // it would rather be one of the others
        const double mass = random_.uniform() * (sum + unknown);
        const TokenId token = mass < sum ? pick(likely, mass) : draw_beside(likely);
        if (token < 0) break;
        if (mass >= sum && !allows(token)) {
          unknown = std::max(0.0, unknown - std::exp(static_cast<double>(logit(token) - best) * sharper()));
          logit(token) = out_of_reach;
          continue;
        }
        pending_ = token;
      }
      const auto drawn = std::ranges::find(likely, pending_, [](const AllowedToken& each) { return each.token.id; });
      const bool is_likely = drawn != likely.end();
      if (sampling_.top_p >= 1 || (is_likely && drawn->before < sampling_.top_p * sum)) return Chosen{pending_};
      if ((is_likely ? drawn->before : sum) < sampling_.top_p * (sum + unknown)) break;
      pending_ = -1;  // it isn't in the nucleus
    }
    return std::nullopt;
  }

  /// One of those that aren't in `likely`; -1: there is none.
  TokenId draw_beside(const std::vector<AllowedToken>& likely) {
    for (const AllowedToken& each : likely) logit(each.token.id) = out_of_reach;
    const TokenId token = sample(row_.data(), 1, vocab(), {.temperature = sampling_.temperature}, random_);
    const bool is_one = token >= 0 && logit(token) > out_of_reach;
    for (const AllowedToken& each : likely) logit(each.token.id) = each.token.logit;
    return is_one ? token : -1;
  }

  /// The one of `tokens` at which the running sum of what they weigh passes `mass`.
  static TokenId pick(std::vector<AllowedToken> tokens, double mass) {
    const TokenId best = tokens.front().token.id;
    // In order of ids, so that rounding can't change which of them a random number falls upon.
    std::ranges::sort(tokens, {}, [](const AllowedToken& each) { return each.token.id; });
    for (const AllowedToken& each : tokens) {
      mass -= each.weight;
      if (mass < 0) return each.token.id;
    }
    return best;  // rounding
  }

  /// What all tokens weigh that aren't impossible, one of the logit `unit` weighing 1.
  [[nodiscard]] double weight_of_row(float unit) const {
    const auto sharp = static_cast<float>(sharper());
    return std::exp(static_cast<double>(log_sum_exp(row_.data(), sharp, vocab())) -
                    static_cast<double>(unit) * sharper());
  }

  /// Whether what is likelier than `token` weighs less than top_p of all.
  bool is_in_nucleus_of_row(TokenId token) {
    if (sampling_.top_p >= 1) return true;
    const ScoredToken own{token, logit(token)};
    double before = 0;
    for (const ScoredToken& other : tokens_above(row_.data(), vocab(), own.logit))
      if (likelier(other, own)) before += std::exp(static_cast<double>(other.logit - own.logit) * sharper());
    return before < sampling_.top_p * weight_of_row(own.logit);
  }

  const std::span<float> row_;
  const Sampling& sampling_;
  const std::span<const TokenId> ends_;
  Guide& guide_;
  Random& random_;
  const bool may_end_;
  TokenId pending_ = -1;  // has been drawn, and comes next if it is in the nucleus
};

}  // namespace

Chosen sample_guided(const float* logits, float scale, int vocab, const Sampling& sampling,
                     const LogitsProcessors& processors, std::span<const TokenId> ends, Guide& guide, Random& random,
                     ScratchStack& scratch) {
  ScratchStack::Frame frame(scratch);
  const std::span<float> row(frame.take<float>(static_cast<std::size_t>(vocab)), static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = logits[i] * scale;
  processors.apply(row, {});
  return GuidedChoice(row, sampling, ends, guide, random).choose();
}

}  // namespace layerboost
