#include "server/embedding_writer.h"

#include <openssl/evp.h>

#include <bit>
#include <iterator>
#include <utility>

#include "server/json_answer.h"

namespace layerboost {
namespace {

constexpr std::size_t bytes_of_number = 13;  // about, as JSON

/// Appends a list of numbers, each in as few digits as say which f32 it is.
void write_numbers(const std::vector<float>& numbers, std::string& json) {
  json += '[';
  for (std::size_t i = 0; i < numbers.size(); ++i)
    fmt::format_to(std::back_inserter(json), "{}{}", i > 0 ? "," : "", numbers[i]);
  json += ']';
}

}  // namespace

std::string base64(const void* bytes, std::size_t size) {
  std::string text((size + 2) / 3 * 4 + 1, '\0');  // OpenSSL writes an end of its own
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                      static_cast<const unsigned char*>(bytes), static_cast<int>(size));
  text.resize(static_cast<std::size_t>(written));
  return text;
}

EmbeddingWriter::EmbeddingWriter(const ApiRequest& request) : request_(request), embeddings_(request.prompts.size()) {}

void EmbeddingWriter::add(std::size_t sequence, Output&& output) {
  if (!output.embedding.empty()) embeddings_[sequence] = std::move(output.embedding);
}

std::size_t EmbeddingWriter::numbers() const { return embeddings_.size() * embeddings_.front().size(); }

std::string EmbeddingWriter::body(const AnswerFacts& facts) {
  // A client may choose its request's id, of letters that aren't all JSON's.
  std::string json =
      fmt::format(R"({{"id":{},"object":"list","created":{},"data":[)", json_line("embd-" + facts.id), facts.created);
  json.reserve(json.size() + numbers() * bytes_of_number);
  for (std::size_t i = 0; i < embeddings_.size(); ++i) {
    json += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i > 0 ? "," : "", i);
    if (request_.base64) {
      static_assert(std::endian::native == std::endian::little);  // as clients read it
      json += '"' + base64(embeddings_[i].data(), embeddings_[i].size() * sizeof(float)) + '"';
    } else {
      write_numbers(embeddings_[i], json);
    }
    json += '}';
  }
  Json usage = {{"prompt_tokens", facts.prompt_tokens}, {"total_tokens", facts.prompt_tokens}};
  if (facts.levels) usage["layerboost"] = to_json(*facts.levels);
  return json += R"(],"model":)" + json_line(facts.model) + R"(,"usage":)" + json_line(usage) + "}\n";
}

}  // namespace layerboost
