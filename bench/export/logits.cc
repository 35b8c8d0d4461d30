// For bench/export/check.sh: the token ids of a text and the logits after each of them, as layerboost computes them.
//   export_logits MODEL PRECISION TEXT OUTPUT
// OUTPUT: N and V (int32), N ids (int32), N V logits (float32).
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "artifact/opened_model.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "model/subject.h"

namespace layerboost {
namespace {

void write_logits(const std::string& model, const std::string& precision, const fs::path& text,
                  const fs::path& output) {
  const Precision chosen = precision == "f32"    ? Precision::f32
                           : precision == "int8" ? Precision::int8
                                                 : Precision::bf16;
  const OpenedModel opened = open_model_argument(model, "", chosen);
  const std::vector<TokenId> tokens = opened.model->text().encode(read_file(text));
  Subject subject(*opened.model, opened.list());
  Sequence sequence(opened.list(), subject.pools);
  const BatchItem item{&sequence, tokens};
  const float* const hidden = subject.runner.forward({&item, 1});
  std::vector<int> rows(tokens.size());
  std::iota(rows.begin(), rows.end(), 0);
  const auto vocab = static_cast<std::size_t>(opened.model->config.vocab);
  std::vector<float> logits(tokens.size() * vocab);
  subject.runner.logits(hidden, rows, [&](const LogitsBlock& block) {
    for (std::size_t i = 0; i < block.rows.size(); ++i)
      for (std::size_t v = 0; v < vocab; ++v)
        logits[static_cast<std::size_t>(block.rows[i]) * vocab + v] = block.row(i)[v] * block.scale(i);
  });
  const std::int32_t sizes[] = {static_cast<std::int32_t>(tokens.size()), static_cast<std::int32_t>(vocab)};
  std::string content(reinterpret_cast<const char*>(sizes), sizeof sizes);
  content.append(reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(TokenId));
  content.append(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
  write_file(output, content);
}

}  // namespace
}  // namespace layerboost

int main(int argc, char** argv) {
  if (argc != 5) {
    layerboost::note("usage: export_logits MODEL PRECISION TEXT OUTPUT");
    return 2;
  }
  try {
    layerboost::write_logits(argv[1], argv[2], argv[3], argv[4]);
  } catch (const layerboost::Error& error) {
    layerboost::note("{}", error.what());
    return 2;
  }
  return 0;
}
