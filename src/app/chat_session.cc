#include "app/chat_session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "generate/sampler.h"

namespace layerboost {
namespace {

/// Tokens that the conversation may have.
int room_of(const Model& model, const ChatOptions& options) {
  const Config& config = model.config;
  if (config.max_positions <= 0) return options.context > 0 ? options.context : std::numeric_limits<int>::max();
  return options.context > 0 ? std::min(options.context, config.longest_text()) : config.max_positions;
}

}  // namespace

ChatSession::ChatSession(Engine& engine, const Model& model, const ChatTemplate& chat, ChatOptions options)
    : engine_(engine), model_(model), chat_(chat), options_(std::move(options)) {
  check_sampling(options_.sampling, model.config.vocab);
}

std::vector<TokenId> ChatSession::prompt_of(const Json& messages) const {
  ChatInput input;
  if (!options_.system.empty()) input.messages.push_back({{"role", "system"}, {"content", options_.system}});
  for (const Json& message : messages) input.messages.push_back(message);
  return model_.text().encode(chat_.render(input));
}

ChatAnswer ChatSession::answer(const std::string& question, const std::function<void(std::string_view)>& on_text,
                               const std::function<bool()>& stop) {
  const Stopwatch clock;
  ChatAnswer answer;
  Json messages = messages_;
  messages.push_back({{"role", "user"}, {"content", question}});
  GenerationRequest request;
  request.prompt = prompt_of(messages);
  const int room = room_of(model_, options_);
  const auto left = [&] { return room - static_cast<int>(request.prompt.size()); };
  // A question and its answer at a time, so that the roles still take turns.
  while (messages.size() > 2 && left() < std::min(options_.max_tokens, room / 4)) {
    messages.erase(messages.begin(), messages.begin() + 2);
    answer.forgotten += 2;
    request.prompt = prompt_of(messages);
  }
  if (left() < 1) fail("the message makes {} tokens; there is room for {}", request.prompt.size(), room);
  request.max_tokens = std::min(options_.max_tokens, left());
  request.sampling = options_.sampling;
  request.seed = options_.seed + questions_;

  std::string error;
  const RequestId id = engine_.submit(std::move(request), [&](Output&& output) {
    on_text(output.text);
    answer.text += output.text;
    if (output.error != nullptr) error = output.error;
    answer.finish = output.finish;
    answer.prompt_tokens = output.prompt_tokens;
    answer.cached_tokens = output.cached_tokens;
    answer.tokens = output.generated_tokens;
  });
  while (answer.finish == FinishReason::none) {
    if (stop()) engine_.cancel(id);
    engine_.step();
  }
  if (answer.finish == FinishReason::failed) fail("{}", error);
  messages.push_back({{"role", "assistant"}, {"content", answer.text}});
  messages_ = std::move(messages);
  ++questions_;
  answer.seconds = clock.seconds();
  return answer;
}

void ChatSession::reset() { messages_ = Json::array(); }

void ChatSession::set_system(std::string system) {
  options_.system = std::move(system);
  reset();
}

}  // namespace layerboost
