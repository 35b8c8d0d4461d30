// Answers of /v1/embeddings: a list of vectors, as numbers or as the bytes of numbers.
#pragma once

#include <vector>

#include "server/answer_writer.h"

namespace layerboost {

class EmbeddingWriter final : public AnswerWriter {
 public:
  /// Requires: `request` outlives this.
  explicit EmbeddingWriter(const ApiRequest& request);

  void add(std::size_t sequence, Output&& output) override;
  [[nodiscard]] std::size_t numbers() const override;
  std::string body(const AnswerFacts& facts) override;

 private:
  const ApiRequest& request_;
  std::vector<std::vector<float>> embeddings_;  // [prompts], [D] each
};

/// Bytes as base64 (RFC 4648), with padding.
std::string base64(const void* bytes, std::size_t size);

}  // namespace layerboost
