#include "heal/held_out.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/interrupt.h"
#include "eval/statistics.h"
#include "generate/bos.h"

namespace layerboost {
namespace {

constexpr const char* stopped = "stopped; the same command goes on from the last checkpoint";

// Room for an answer behind its question.
constexpr int answer_tokens = 24;

std::vector<RetrievalItem> make_questions(const Model& model, const std::vector<std::vector<TokenId>>& sequences,
                                          int count, std::uint64_t seed) {
  if (count <= 0) return {};
  try {
    const int length = static_cast<int>(sequences.front().size()) - answer_tokens;
    check_retrieval(model.text(), length, model.config.max_positions);
    const TokenId bos = bos_token(model.text(), BosMode::automatic);
    return choosing_questions(model.text(), sequences, length, count, seed, bos);
  } catch (const Error&) {
    return {};  // the sequences are too short, or the vocabulary can't write the answers
  }
}

}  // namespace

Json HeldOutResult::to_json() const {
  const auto number = [](double x) { return std::isfinite(x) ? Json(x) : Json(); };
  Json json = {{"kl", number(kl)},
               {"kl_stderr", number(kl_error)},
               {"perplexity", number(perplexity)},
               {"teacher_perplexity", number(teacher_perplexity)}};
  if (found >= 0) json["found"] = found;
  return json;
}

HeldOutResult held_out_from_json(const Json& json, const std::string& where) {
  const double nan = std::nan("");
  return {get_or<double>(json, "kl", nan, where), get_or<double>(json, "kl_stderr", nan, where),
          get_or<double>(json, "perplexity", nan, where), get_or<double>(json, "teacher_perplexity", nan, where),
          get_or<double>(json, "found", -1, where)};
}

HeldOut::HeldOut(const Model& model, std::vector<std::vector<TokenId>> sequences, int questions, std::uint64_t seed)
    : sequences_(std::move(sequences)) {
  LB_CHECK(!sequences_.empty());
  questions_ = make_questions(model, sequences_, questions, seed);
}

HeldOutResult HeldOut::measure(Distiller& distiller, int batch) const {
  std::vector<LossSums> each;
  const int length = static_cast<int>(sequences_.front().size());
  for (std::size_t first = 0; first < sequences_.size(); first += static_cast<std::size_t>(batch)) {
    check_interrupt(stopped);
    const auto count = std::min(static_cast<std::size_t>(batch), sequences_.size() - first);
    std::vector<TokenId> tokens;
    for (std::size_t i = first; i < first + count; ++i)
      tokens.insert(tokens.end(), sequences_[i].begin(), sequences_[i].end());
    distiller.measure(tokens, {static_cast<int>(count), length}, &each);
  }
  LossSums total;
  std::vector<double> kl;
  for (const LossSums& sums : each) {
    total += sums;
    kl.push_back(sums.kl / static_cast<double>(sums.tokens));
  }
  HeldOutResult result;
  const Estimate mean = estimate(kl);
  result.kl = mean.mean;
  result.kl_error = mean.error;
  result.perplexity = std::exp(total.nll / static_cast<double>(total.targets));
  result.teacher_perplexity = std::exp(total.teacher_nll / static_cast<double>(total.targets));
  if (!questions_.empty()) result.found = share_found(distiller, batch);
  return result;
}

/// The answers are read with the right tokens given so far, as run_retrieval() does. Shorter questions are filled up
/// behind their end, which nothing before sees.
double HeldOut::share_found(Distiller& distiller, int batch) const {
  int found = 0;
  std::size_t length = 0;
  for (const RetrievalItem& item : questions_) length = std::max(length, item.prompt.size() + item.answer.size());
  for (std::size_t first = 0; first < questions_.size(); first += static_cast<std::size_t>(batch)) {
    check_interrupt(stopped);
    const auto items =
        std::span(questions_).subspan(first, std::min(static_cast<std::size_t>(batch), questions_.size() - first));
    std::vector<TokenId> tokens, expected;
    std::vector<int> rows;
    for (const RetrievalItem& item : items) {
      const std::size_t begin = tokens.size();
      tokens.insert(tokens.end(), item.prompt.begin(), item.prompt.end());
      for (const TokenId token : item.answer) {
        rows.push_back(static_cast<int>(tokens.size()) - 1);
        expected.push_back(token);
        tokens.push_back(token);
      }
      tokens.resize(begin + length, 0);
    }
    std::vector<TokenId> best(rows.size());
    distiller.best_tokens(tokens, {static_cast<int>(items.size()), static_cast<int>(length)}, rows, best);
    std::size_t at = 0;
    for (const RetrievalItem& item : items) {
      const auto begin = static_cast<std::ptrdiff_t>(at), end = begin + std::ssize(item.answer);
      found += std::equal(best.begin() + begin, best.begin() + end, expected.begin() + begin) ? 1 : 0;
      at += item.answer.size();
    }
  }
  return static_cast<double>(found) / static_cast<double>(questions_.size());
}

}  // namespace layerboost
