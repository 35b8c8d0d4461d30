#include "server/server.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <utility>

#include "base/interrupt.h"
#include "base/log.h"
#include "generate/generate.h"
#include "server/request_log.h"

namespace layerboost {
namespace {

/// The limits with as many positions as the model has, or as were asked for of it, and the memory holds.
Limits limits_for(Limits limits, const Model& model, const Engine& engine) {
  constexpr int unbounded = 1 << 30;
  const Config& config = model.config;
  const int own = config.max_positions > 0 ? config.max_positions : unbounded;
  const int most = config.max_positions > 0 ? config.longest_text() : unbounded;
  const int asked = limits.positions > 0 ? std::min(limits.positions, most) : own;
  limits.positions = engine.longest_sequence(asked);
  if (limits.positions < asked && asked < unbounded)
    note("sequences have at most {} of {} positions: `memory` holds no more", limits.positions, asked);
  if (config.beyond_positions(limits.positions)) note_slow_texts(config);
  limits.unasked = config.max_positions;
  return limits;
}

/// How to sample where a request doesn't say it.
Sampling usual_sampling(const Config& config, Sampling otherwise) {
  Sampling own = own_sampling(config, std::move(otherwise));
  note(
      "what a request doesn't say of sampling is the model's own: temperature {}, top_p {}, top_k {}, min_p {}, "
      "repetition_penalty {}; `generation-config` none does without",
      own.temperature, own.top_p, own.top_k, own.min_p, own.repetition_penalty);
  return own;
}

std::optional<ChatTemplate> chat_template(const Tokenizer& tokenizer, const std::string& given) {
  if (!given.empty()) return ChatTemplate(given, tokenizer);
  if (tokenizer.chat_template().empty()) return std::nullopt;
  try {
    return ChatTemplate(tokenizer);
  } catch (const Error& error) {
    warn("no /v1/chat/completions: {}", error.what());
    return std::nullopt;
  }
}

/// The template that requests with tools are rendered by.
std::string_view template_for_tools(const Tokenizer& tokenizer, const std::string& given) {
  if (!given.empty()) return given;
  return tokenizer.tool_template().empty() ? tokenizer.chat_template() : tokenizer.tool_template();
}

AllowedHosts allowed_hosts(const ServerOptions& options, bool on_loopback) {
  if (options.allow_hosts.empty() && (!on_loopback || !options.api_key.empty())) return {};
  std::vector<std::string> names = options.allow_hosts;
  if (options.host.find(':') == std::string::npos) names.push_back(options.host);
  return AllowedHosts(names);
}

std::function<void(const RequestRecord&)> request_logger(bool with_levels) {
  return
      [with_levels](const RequestRecord& record) { note("{}", request_line(record, std::time(nullptr), with_levels)); };
}

}  // namespace

std::string mixers_in_words(const MixerList& mixers) {
  std::map<std::string, int> counts;
  for (const Mixer* mixer : mixers) ++counts[mixer->name()];
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string words;
  for (const auto& [name, count] : sorted) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, name);
  return words;
}

Server::Server(Engine& engine, const Model& model, const MixerList& mixers, const ServerOptions& options)
    : engine_(engine),
      http_(options.host, options.port, options.limits),
      chat_(chat_template(model.text(), options.chat_template)) {
  LB_CHECK(!options.names.empty());
  LB_CHECK(!options.levels.is_ladder() || options.levels.levels.size() == engine.stats().running_by_plan.size());
  ApiReader reader{model.text(), chat_ ? &*chat_ : nullptr, options.names, limits_for(options.limits, model, engine)};
  reader.embeddings = model.config.vocab;
  reader.hidden = model.config.hidden;
  const std::string_view for_tools = template_for_tools(model.text(), options.chat_template);
  reader.tool_format = tool_format_of(for_tools);
  reader.told_of_tools = tells_of_tools(for_tools);
  reader.vocabulary = std::make_shared<const Vocabulary>(model.text(), model.config.vocab);
  const std::vector<TokenId> tags =
      reader.tool_format ? tags_of(*reader.tool_format, model.text()) : std::vector<TokenId>();
  if (!tags.empty())
    reader.vocabulary_of_calls = std::make_shared<const Vocabulary>(model.text(), model.config.vocab, tags);
  if (options.plain_messages) reader.plain_messages = &plain_messages_.emplace(model.text());
  const bool own = options.model_sampling && model.config.sampling.any();
  if (own) reader.sampling = usual_sampling(model.config, reader.sampling);
  for (int level = 0; options.levels.is_ladder() && level <= options.levels.highest(); ++level)
    reader.level_positions.push_back(engine.longest_sequence(reader.limits.positions, level));
  if (options.levels.is_ladder())
    reader.highest_level_of = [&engine](int prompt) { return engine.highest_plan(prompt); };
  const ServerInfo info{.models = options.names,
                        .model_hash = model.hash,
                        .plan = options.plan,
                        .mixers = mixers_in_words(mixers),
                        .precision = name_of(model.precision),
                        .kv = name_of(kept_as(options.kv, model.precision)),
                        .positions = reader.limits.positions,
                        .own_sampling = own,
                        .started = std::time(nullptr),
                        .levels = options.levels};
  api_ = std::make_unique<Api>(
      http_, engine, reader, info,
      ApiAccess{options.api_key, allowed_hosts(options, http_.on_loopback()), options.allow_origins});
  // A signal handler may do next to nothing; this looks for its mark.
  http_.every(std::chrono::milliseconds(100), [this] { look_for_the_end(); });
  http_.start({.by_head = [this](const HttpRequest& request) { return api_->answer_by_head(request); },
               .with_body = [this](const HttpRequest& request,
                                   const std::shared_ptr<HttpReply>& reply) { api_->work(request, reply); },
               .headers = [this](const HttpRequest& request) { return api_->headers_for_page(request); },
               .ended = options.log_requests ? request_logger(options.levels.is_ladder()) : nullptr});
}

void Server::look_for_the_end() {
  if (!draining_ && (asked_to_drain_ || interrupted())) {
    draining_ = true;
    api_->drain();
    http_.stop_keep_alive();
  }
  if (draining_ && http_.busy() == 0) engine_.stop();
}

}  // namespace layerboost
