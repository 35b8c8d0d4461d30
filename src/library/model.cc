#include "layerboost/model.h"

#include <algorithm>

#include "engine/cache_memory.h"
#include "eval/perplexity.h"
#include "eval/text_data.h"
#include "generate/bos.h"
#include "generate/generate.h"
#include "library/call.h"
#include "library/messages.h"
#include "library/model_impl.h"

namespace layerboost {
namespace {

OpenedModel open_here(const std::string& model, const ModelOptions& options) {
  print_nothing();
  best_isa();  // says so at once when the CPU is too old
  const ThreadsOfCall threads(options.threads);
  OpenedModel opened = open_model_argument(model, options.plan, options.precision, options.kv);
  opened.model->close_files();
  return opened;
}

std::vector<TokenId> encode_prompt(const Tokenizer& tokenizer, std::string_view text) {
  return encode_with_bos(tokenizer, text, bos_token(tokenizer, BosMode::automatic));
}

}  // namespace

LanguageModel::Impl::Impl(const std::string& model, const ModelOptions& options)
    : threads(options.threads), opened(open_here(model, options)), mixers(opened.list()) {}

LanguageModel::LanguageModel(const std::string& model, const ModelOptions& options)
    : impl_(call([&] { return std::make_unique<Impl>(model, options); })) {}
LanguageModel::~LanguageModel() = default;
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;

ModelShape LanguageModel::shape() const {
  const Config& config = impl_->opened.model->config;
  return {config.layers, config.hidden, config.heads,         config.kv_heads,      config.head_size,
          config.ffn,    config.vocab,  config.max_positions, config.longest_text()};
}

std::vector<std::string> LanguageModel::mixers() const {
  std::vector<std::string> written;
  for (const Mixer* mixer : impl_->mixers) written.push_back(mixer->name());
  return written;
}

std::size_t LanguageModel::cache_bytes(int tokens) const { return sequence_bytes(impl_->mixers, tokens); }

Sampling LanguageModel::own_sampling() const {
  return call([&] { return layerboost::own_sampling(impl_->opened.model->config, {}); });
}

std::vector<TokenId> LanguageModel::encode(std::string_view text) const {
  return call([&] { return encode_prompt(impl_->opened.model->text(), text); });
}

std::string LanguageModel::decode(std::span<const TokenId> tokens) const {
  return impl_->opened.model->text().decode(tokens, true);
}

PerplexityResult LanguageModel::perplexity(std::string_view text, int context, int windows) const {
  return call([&]() -> PerplexityResult {
    const Model& model = *impl_->opened.model;
    const Tokenizer& tokenizer = model.text();
    const int positions = model.config.max_positions;
    WindowOptions options;
    if (positions > 0) options.context = std::min(options.context, positions);
    if (context != 0) options.context = context;
    options.limit = windows;
    options.bos = bos_token(tokenizer, BosMode::automatic);
    const std::vector<TokenId> tokens = first_tokens(tokenizer, text, tokens_needed(options));
    const std::vector<Request> requests = text_windows(tokens, options, model.config.longest_text());
    const ThreadsOfCall threads(impl_->threads);
    Subject subject(model, impl_->mixers);
    const Perplexity result = measure_perplexity(subject, requests);
    return {result.ppl(), result.ppl_error(), result.nll.mean.mean, result.nll.tokens, std::ssize(result.nll.windows)};
  });
}

std::vector<std::string> LanguageModel::generate(std::span<const std::string> prompts, int tokens,
                                                 const Sampling& sampling, std::uint64_t seed) const {
  return call([&] {
    const Model& model = *impl_->opened.model;
    check_sampling(sampling, model.config.vocab);
    std::vector<std::vector<TokenId>> encoded;
    for (const std::string& prompt : prompts) {
      encoded.push_back(encode_prompt(model.text(), prompt));
      if (encoded.back().empty()) fail("prompt {} is empty: it needs at least one token", encoded.size());
    }
    const ThreadsOfCall threads(impl_->threads);
    Subject subject(model, impl_->mixers);
    std::vector<std::string> texts;
    const auto written = layerboost::generate(subject, encoded, {tokens, sampling, seed, 0, end_tokens(model)});
    for (std::size_t i = 0; i < written.size(); ++i)
      texts.push_back(text_of(model.text(), written[i].tokens, encoded[i]));
    return texts;
  });
}

}  // namespace layerboost
