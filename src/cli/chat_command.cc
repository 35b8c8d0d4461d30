#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "app/chat_session.h"
#include "artifact/opened_ladder.h"
#include "base/log.h"
#include "base/terminal.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/flag_checks.h"
#include "cli/interrupt_key.h"
#include "generate/generate.h"

namespace layerboost {
namespace {

constexpr const char* chat_help =
    "/reset          forget what was said\n"
    "/system TEXT    begin again with this system prompt; without TEXT: show it\n"
    "/quit           leave (so does Ctrl-D)\n"
    "Ctrl-C stops an answer. A line that ends with \\ goes on in the next one; //... is a message that begins with "
    "/.\n";

struct ChatFlags {
  std::string model, plan;
  std::optional<int> level;
  std::string chat_template;  // a file
  ChatOptions chat;
  SamplingFlags sampling;
  CommonOptions common;
};

/// The next line of stdin without its end; nothing at its end, or when a signal came first (`interrupted`).
std::optional<std::string> read_line(bool& interrupted) {
  char* buffer = nullptr;
  std::size_t size = 0;
  errno = 0;
  const ssize_t length = ::getline(&buffer, &size, stdin);
  interrupted = length < 0 && errno == EINTR;
  std::optional<std::string> line;
  if (length >= 0) line.emplace(buffer, static_cast<std::size_t>(length));
  std::free(buffer);
  if (interrupted) std::clearerr(stdin);
  while (line && (line->ends_with('\n') || line->ends_with('\r'))) line->pop_back();
  return line;
}

/// Talks through stdin and stdout: with a person at a terminal, or line by line with what is piped in.
class Conversation {
 public:
  explicit Conversation(ChatSession& session) : session_(session), person_(::isatty(STDIN_FILENO) == 1) {}

  void run() {
    if (person_) fmt::print("/help tells what else there is; Ctrl-C stops an answer, Ctrl-D leaves.\n");
    while (!key_.ended()) {
      std::optional<std::string> line = read();
      if (!line) return;
      if (line->empty()) continue;
      if (line->starts_with("//")) {
        answer(line->substr(1));
      } else if (!line->starts_with("/")) {
        answer(*line);
      } else if (!obey(*line)) {
        return;
      }
    }
  }

 private:
  void show_prompt(const char* prompt) const {
    if (!person_) return;
    fmt::print("{}", prompt);
    std::fflush(stdout);
  }

  /// Waits for a line, or for Ctrl-C: true. A terminal gives one line at a time, so that stdio holds none back.
  bool key_before_input() {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (!key_.take() && !key_.ended())
      if (::poll(&input, 1, 100) > 0) return false;
    return true;
  }

  /// A message: one line, or more of them joined by "\" at their ends. Nothing: it is over.
  std::optional<std::string> read() {
    std::string message;
    show_prompt("> ");
    for (bool warned = false;;) {
      bool interrupted = person_ && key_before_input();
      std::optional<std::string> line;
      if (!interrupted) line = read_line(interrupted);
      if (line && line->ends_with('\\')) {
        line->back() = '\n';
        message += *line;
        show_prompt("  ");
        continue;
      }
      if (line) return message + *line;
      if (person_) fmt::print("\n");
      key_.take();
      if (!interrupted || !person_ || warned || key_.ended()) return std::nullopt;
      fmt::print("Ctrl-C once more or /quit leaves.\n");
      message.clear();
      warned = true;
      show_prompt("> ");
    }
  }

  /// False for /quit.
  bool obey(const std::string& line) {
    const std::string command = line.substr(0, line.find(' '));
    const std::string rest = line.size() > command.size() ? line.substr(command.size() + 1) : "";
    if (command == "/quit" || command == "/exit") return false;
    if (command == "/reset") {
      session_.reset();
    } else if (command == "/system" && rest.empty()) {
      fmt::print("{}\n", session_.system().empty() ? "(the model's own)" : session_.system());
    } else if (command == "/system") {
      session_.set_system(rest);
    } else if (command == "/help") {
      fmt::print("{}", chat_help);
    } else {
      complain(fmt::format("unknown command {}; /help names them, //... is a message that begins with /", command));
    }
    return true;
  }

  void answer(const std::string& message) {
    key_.take();
    const auto print = [](std::string_view text) {
      fmt::print("{}", text);
      std::fflush(stdout);
    };
    ChatAnswer answer;
    try {
      answer = session_.answer(message, print, [&] { return key_.take() || key_.ended(); });
    } catch (const Error& error) {
      return complain(error.what());
    }
    fmt::print("\n");
    if (!person_) {
      std::fflush(stdout);
      if (answer.finish == FinishReason::cancelled) throw Interrupted("stopped");
      return;
    }
    const bool color = color_wanted();
    fmt::print("{}[{} tokens{}, {:.1f} s; {} of {} tokens before them were cached{}]{}\n", color ? "\033[2m" : "",
               answer.tokens, answer.finish == FinishReason::stop ? "" : ", not finished", answer.seconds,
               answer.cached_tokens, answer.prompt_tokens,
               answer.forgotten == 0 ? "" : fmt::format("; {} old messages are forgotten", answer.forgotten),
               color ? "\033[0m" : "");
  }

  /// A person may try again; what is piped in fails.
  void complain(const std::string& message) const {
    if (!person_) fail("{}", message);
    note("{}", message);
  }

  ChatSession& session_;
  InterruptKey key_;
  bool person_;
};

ChatTemplate template_of(const ChatFlags& options, const Tokenizer& tokenizer) {
  if (options.chat_template.empty()) return ChatTemplate(tokenizer);
  return {read_file_or_pipe(options.chat_template), tokenizer};
}

void chat(ChatFlags options) {
  start_run(options.common);
  (void)sampling_of(options.sampling, {}, options.chat.sampling);  // what is wrong is said before the model is read
  const OpenedModel opened =
      open_model_argument(options.model, options.plan, options.level, options.common.precision, options.common.kv);
  opened.model->close_files();
  options.chat.sampling = sampling_of(options.sampling, opened.model->config, options.chat.sampling);
  const ChatTemplate templ = template_of(options, opened.model->text());
  note_context(opened.model->config, options.chat.context);
  if (opened.model->config.beyond_positions(options.chat.context)) note_slow_texts(opened.model->config);
  options.chat.seed = options.common.seed;
  EngineOptions engine_options;
  engine_options.max_sequences = 1;
  Engine engine(*opened.model, opened.list(), engine_options);
  ChatSession session(engine, *opened.model, templ, options.chat);
  Conversation(session).run();
}

}  // namespace

void add_chat_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("chat", "Talk with a model in the terminal");
  const auto options = std::make_shared<ChatFlags>();
  add_model_option(*command, options->model);
  add_plan_option(*command, options->plan);
  add_level_option(*command, options->level);
  command->add_option("--system", options->chat.system, "System prompt; default: the chat template's own")
      ->type_name("TEXT");
  command->add_option("--tokens", options->chat.max_tokens, "At most so many tokens in one answer")
      ->check(whole_number(1))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--context", options->chat.context, "Tokens of conversation to remember; 0: the model's positions")
      ->check(whole_number(0))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--chat-template", options->chat_template, "Jinja template in place of the model's own")
      ->type_name("FILE");
  add_sampling_options(*command, options->sampling, options->chat.sampling);
  add_compute_options(*command, options->common);
  add_kv_option(*command, options->common);
  add_seed_option(*command, options->common);
  command->footer(
      fmt::format("Text that is piped in is taken line by line, each a message. In the terminal:\n{}\n"
                  "Examples:\n"
                  "  layerboost chat smollm2-135m\n"
                  "  layerboost chat boosted/ --system \"Answer in one sentence.\" --temperature 0\n"
                  "  echo \"What is gravity?\" | layerboost chat smollm2-135m",
                  chat_help));
  command->callback([options] { chat(*options); });
}

}  // namespace layerboost
