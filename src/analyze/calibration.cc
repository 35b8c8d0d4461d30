#include "analyze/calibration.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "eval/retrieval.h"
#include "eval/self_text.h"
#include "eval/text_data.h"
#include "generate/bos.h"
#include "mixer/mixers.h"
#include "model/subject.h"

namespace layerboost {
namespace {

std::vector<std::vector<TokenId>> sequences_from_file(const Model& model, const CalibrationOptions& options, int count,
                                                      int length) {
  const TextData data = read_text(options.text);
  const auto wanted = static_cast<std::size_t>(count) * static_cast<std::size_t>(length);
  const std::vector<TokenId> tokens = first_tokens(model.text(), data.text, wanted);
  const auto size = static_cast<std::ptrdiff_t>(length);
  if (std::ssize(tokens) < size)
    fail("{} has {} tokens of text; one calibration sequence needs {}", options.text, tokens.size(), length);
  std::vector<std::vector<TokenId>> sequences;
  for (auto begin = tokens.begin(); tokens.end() - begin >= size; begin += size)
    sequences.emplace_back(begin, begin + size);
  return sequences;
}

/// `options.retrieval_items` of the family's questions.
std::vector<CalibrationSequence> make_questions(const Model& model, const CalibrationOptions& options,
                                                const Calibration& calibration) {
  std::vector<std::vector<TokenId>> sequences;
  for (const CalibrationSequence& sequence : calibration.sequences) sequences.push_back(sequence.tokens);
  std::vector<CalibrationSequence> questions;
  for (const RetrievalItem& item :
       choosing_questions(model.text(), sequences, calibration.retrieval_length, options.retrieval_items, options.seed,
                          bos_token(model.text(), BosMode::automatic))) {
    CalibrationSequence& question = questions.emplace_back();
    question.tokens = item.prompt;
    question.tokens.insert(question.tokens.end(), item.answer.begin(), item.answer.end());
    question.first_target = static_cast<int>(item.prompt.size()) - 1;
    question.retrieval = true;
  }
  return questions;
}

std::string hash_of(const std::vector<CalibrationSequence>& sequences) {
  std::string bytes;
  for (const CalibrationSequence& sequence : sequences) {
    bytes.append(reinterpret_cast<const char*>(sequence.tokens.data()), sequence.tokens.size() * sizeof(TokenId));
    bytes.append("\n");
  }
  return content_hash(bytes);
}

}  // namespace

Calibration make_calibration(const Model& model, const CalibrationOptions& options) {
  Calibration calibration;
  calibration.length = std::min(options.length, model.config.max_positions);
  const int count = std::max(1, (options.tokens + calibration.length - 1) / calibration.length);
  std::vector<std::vector<TokenId>> sequences;
  if (options.text.empty()) {
    MixerSet mixers(model);
    Subject subject(model, mixers.list(native_specs(model.config)));
    sequences = self_text(subject, {count, calibration.length, options.seed});
    calibration.source = "self";
  } else {
    sequences = sequences_from_file(model, options, count, calibration.length);
    calibration.source = fs::path(options.text).filename().string();
  }
  calibration.texts = static_cast<int>(sequences.size());
  for (auto& sequence : sequences) calibration.sequences.push_back({std::move(sequence), 0, false});

  if (options.retrieval_items > 0) {
    calibration.retrieval_length = calibration.length - retrieval_room;
    for (CalibrationSequence& question : make_questions(model, options, calibration))
      calibration.sequences.push_back(std::move(question));
    calibration.retrieval_items = options.retrieval_items;
  }
  calibration.hash = hash_of(calibration.sequences);
  return calibration;
}

}  // namespace layerboost
