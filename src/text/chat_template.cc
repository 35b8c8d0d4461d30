#include "text/chat_template.h"

#include <algorithm>
#include <utility>

#include "base/in_quotes.h"
#include "jinja/evaluator.h"
#include "jinja/functions.h"
#include "jinja/parser.h"
#include "jinja/text.h"
#include "text/chat_messages.h"
#include "text/content_forms.h"
#include "text/content_parts.h"

namespace layerboost {

namespace {

struct Parsed {
  jinja::Body body;
  ContentForms forms;
};

struct Tokens {
  std::string bos, eos;
};

}  // namespace

struct ChatTemplate::Impl {
  Tokens tokens;
  Parsed plain;
  std::optional<Parsed> with_tools;  // where the model has another one for tools
};

namespace {

// A refusal is in the template's own words, which may have several lines.
std::string one_line(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return id < 0 ? std::string() : std::string(tokenizer.bytes(id));
}

/// Stands behind the text that is to be continued while the template runs. The space at its end is gone where the
/// template takes white space off the ends of texts.
constexpr std::string_view continued_here = "THE_TEXT_IS_CONTINUED_HERE ";

/// Marks where the last message's text ends. Returns that text.
std::string mark_last_text(Json& messages) {
  Json* text = nullptr;
  if (messages.is_array() && !messages.empty() && messages.back().is_object() && messages.back().contains("content"))
    text = &messages.back()["content"];
  if (text != nullptr && text->is_array()) {
    const auto has_text = [](const Json& part) { return part.is_object() && part.contains("text"); };
    const auto last = std::find_if(text->rbegin(), text->rend(), has_text);
    text = last == text->rend() ? nullptr : &(*last)["text"];
  }
  if (text == nullptr || !text->is_string()) fail("the last message has no text that could be continued");
  std::string found = text->get<std::string>();
  *text = found + std::string(continued_here);
  return found;
}

/// What is written up to the mark. Requires: a context for templates is there.
std::string cut_at_mark(std::string rendered, std::string_view last_text) {
  const std::string_view bare = continued_here.substr(0, continued_here.size() - 1);
  const std::size_t end = jinja::find_last_text(rendered, bare);
  if (end == std::string::npos ||
      jinja::find_text(rendered, jinja::strip(last_text, jinja::Side::both)) == std::string::npos)
    fail("the chat template changes the last message's text or leaves it out: it can't be continued");
  const bool trimmed = !std::string_view(rendered).substr(end).starts_with(continued_here);
  rendered.resize(end);
  return trimmed ? std::string(jinja::strip(rendered, jinja::Side::right)) : rendered;
}

std::vector<std::pair<std::string, jinja::Value>> variables_of(const ChatInput& input, const Json& messages,
                                                               const Tokens& tokens) {
  using jinja::Value;
  std::vector<std::pair<std::string, Value>> variables = jinja::global_functions();
  const auto set = [&](const std::string& name, Value value) {
    std::erase_if(variables, [&](const auto& variable) { return variable.first == name; });
    variables.emplace_back(name, std::move(value));
  };
  set("bos_token", Value::text(tokens.bos));
  set("eos_token", Value::text(tokens.eos));
  set("messages", Value::from_json(messages));
  set("tools", Value::from_json(input.tools));
  set("documents", Value::none());
  set("add_generation_prompt", Value::boolean(input.add_generation_prompt));
  if (input.variables.is_object())
    for (const auto& [name, value] : input.variables.items()) set(name, Value::from_json(value));
  return variables;
}

std::string render_with(const Parsed& chosen, const Tokens& tokens, const ChatInput& input, std::size_t most_work) {
  int line = 1;
  try {
    // Before there is a budget: how much the messages hold isn't the template's doing.
    Json messages = messages_for_template(input.messages, chosen.forms);
    const std::string last_text = input.continue_last ? mark_last_text(messages) : "";
    auto variables = variables_of(input, messages, tokens);
    jinja::Context context(most_work);
    context.now = input.now.value_or(std::time(nullptr));
    jinja::Evaluator evaluator(context, line, std::move(variables));
    std::string text = evaluator.run(chosen.body);
    return input.continue_last ? cut_at_mark(std::move(text), last_text) : text;
  } catch (const jinja::TemplateError& error) {
    fail("chat template, line {}: {}", line, printable(one_line(error.what())));
  }
}

/// The forms of a template that goes through parts.
ContentForms try_forms(const Parsed& parsed, const Tokens& tokens, bool for_tools) {
  constexpr std::size_t little_work = jinja::Budget::max_work / 64;
  const std::time_t now = std::time(nullptr);  // the same in all tries
  const auto render = [&](const Json& messages, const Json& tools) -> std::string {
    ChatInput input;
    input.messages = messages;
    input.tools = tools;
    input.now = now;
    try {
      return render_with(parsed, tokens, input, little_work);
    } catch (const Error&) {
      return "";
    }
  };
  return find_content_forms(render, for_tools);
}

Parsed parse(std::string_view source, const Tokens& tokens, bool for_tools = false) {
  try {
    Parsed parsed{jinja::parse_template(source), {}};
    if (reads_content_parts(parsed.body))
      parsed.forms = try_forms(parsed, tokens, for_tools);
    else
      parsed.forms.otherwise = ContentForm::text;
    return parsed;
  } catch (const jinja::SyntaxError& error) {
    fail("chat template, line {}: {}", error.line, printable(error.what()));
  } catch (const jinja::TemplateError& error) {
    fail("chat template: {}", printable(error.what()));
  }
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string bos_token, std::string eos_token) {
  Tokens tokens{std::move(bos_token), std::move(eos_token)};
  Parsed plain = parse(source, tokens);
  impl_ = std::make_unique<const Impl>(Impl{std::move(tokens), std::move(plain), std::nullopt});
}

ChatTemplate::ChatTemplate(std::string_view source, const Tokenizer& tokenizer)
    : ChatTemplate(source, token_text(tokenizer, tokenizer.bos()), token_text(tokenizer, tokenizer.eos())) {}

ChatTemplate::ChatTemplate(const Tokenizer& tokenizer) {
  if (tokenizer.chat_template().empty())
    fail("the model has no chat template: it was not made to answer messages; give it plain prompts");
  Tokens tokens{token_text(tokenizer, tokenizer.bos()), token_text(tokenizer, tokenizer.eos())};
  Parsed plain = parse(tokenizer.chat_template(), tokens);
  std::optional<Parsed> with_tools;
  if (!tokenizer.tool_template().empty()) with_tools = parse(tokenizer.tool_template(), tokens, true);
  impl_ = std::make_unique<const Impl>(Impl{std::move(tokens), std::move(plain), std::move(with_tools)});
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const ChatInput& input) const { return render(input, jinja::Budget::max_work); }

std::string ChatTemplate::render(const ChatInput& input, std::size_t most_work) const {
  const Parsed& chosen = impl_->with_tools && !input.tools.is_null() ? *impl_->with_tools : impl_->plain;
  return render_with(chosen, impl_->tokens, input, most_work);
}

}  // namespace layerboost
