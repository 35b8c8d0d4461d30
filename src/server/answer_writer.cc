#include "server/answer_writer.h"

#include "server/completion_writer.h"
#include "server/embedding_writer.h"
#include "server/response_writer.h"

namespace layerboost {

Json to_json(const LevelSpan& levels) { return {{"first_level", levels.first}, {"level", levels.last}}; }

std::unique_ptr<AnswerWriter> make_writer(const ApiRequest& request, const Tokenizer& tokenizer) {
  if (request.endpoint == Endpoint::embeddings) return std::make_unique<EmbeddingWriter>(request);
  if (request.endpoint == Endpoint::responses) return std::make_unique<ResponseWriter>(request, tokenizer);
  return std::make_unique<CompletionWriter>(request, tokenizer);
}

}  // namespace layerboost
