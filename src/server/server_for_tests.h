// For tests: a server with a small model of random weights, on a free port of loopback.
#pragma once

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/model_for_tests.h"
#include "server/client_for_tests.h"
#include "server/server.h"

namespace layerboost {

/// Writes "<role>words</s>" for each message.
inline constexpr const char* chat_template_for_tests =
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</s>{% endfor %}";

inline const Model& served_model() {
  static const std::unique_ptr<Model> model = text_model();
  return *model;
}

class ServerForTests {
 public:
  /// `then`: happens after the last layer's mixer. `higher`: levels above the model's own mixers, which leave the last
  /// layer as it is.
  explicit ServerForTests(ServerOptions options = {}, const EngineOptions& engine = {{.memory = std::size_t{64} << 20}},
                          std::function<void(const MixerRows&)> then = {},
                          const std::vector<std::vector<MixerSpec>>& higher = {}, const Model& model = served_model())
      : model_(model),
        mixers_(model_),
        last_(*mixers_.list(native_specs(model_.config)).back(), std::move(then)),
        list_(with_last(mixers_.list(native_specs(model_.config)), last_)),
        higher_(higher_lists(higher)),
        engine_(model_, plans(), engine),
        server_(engine_, model_, list_, completed(std::move(options), engine.levels)),
        compute_([this] { engine_.run(); }) {}
  ~ServerForTests() {
    engine_.stop();
    if (compute_.joinable()) compute_.join();
  }
  ServerForTests(const ServerForTests&) = delete;
  ServerForTests& operator=(const ServerForTests&) = delete;

  Server& server() { return server_; }
  Engine& engine() { return engine_; }
  const MixerList& list() { return list_; }
  [[nodiscard]] int port() const { return server_.port(); }
  /// Until Engine::run() has returned by itself.
  void wait_for_the_end() { compute_.join(); }

  /// One request on a connection of its own.
  [[nodiscard]] AnswerForTests ask(const char* method, const char* path, const std::string& body = "",
                                   const char* headers = "") const {
    ClientForTests client(port());
    client.send(method, path, body, std::string(headers) + "Connection: close\r\n");
    return client.read_answer();
  }
  [[nodiscard]] AnswerForTests post(const char* path, const Json& body) const { return ask("POST", path, body.dump()); }
  [[nodiscard]] AnswerForTests complete(const Json& body) const { return post("/v1/completions", body); }

  /// Waits until `condition(stats)`; false if it takes half a minute.
  template <typename Condition>
  bool wait_until(Condition condition) const {
    for (int i = 0; i < 3000; ++i) {
      if (condition(engine_.stats())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

 private:
  [[nodiscard]] ServerOptions completed(ServerOptions options, const LevelOptions& levels) const {
    if (!higher_.empty()) options.levels = level_table(levels);
    options.port = 0;
    if (options.names.empty()) options.names = {"tiny"};
    if (options.chat_template.empty()) options.chat_template = chat_template_for_tests;
    return options;
  }

  /// What is measured of level n is made up: 1 + n / 8, n / 4 and 1 / (1 + n).
  [[nodiscard]] LevelTable level_table(const LevelOptions& options) const {
    LevelTable table{{{.mixers = mixers_in_words(list_), .perplexity_ratio = 1, .kl = 0, .kv_fraction = 1}}, options};
    for (std::size_t i = 0; i < higher_.size(); ++i) {
      const double level = static_cast<double>(i + 1);
      table.levels.push_back({.plan = fmt::format("sha256:plan{}", level),
                              .mixers = mixers_in_words(higher_[i]),
                              .rung = fmt::format("rung {}", level),
                              .perplexity_ratio = 1 + level / 8,
                              .kl = level / 4,
                              .kv_fraction = 1 / (1 + level)});
    }
    return table;
  }

  [[nodiscard]] std::vector<MixerList> higher_lists(const std::vector<std::vector<MixerSpec>>& higher) {
    std::vector<MixerList> lists;
    for (const auto& plan : higher) lists.push_back(with_last(mixers_.list(plan), last_));
    return lists;
  }

  [[nodiscard]] std::vector<const MixerList*> plans() const {
    std::vector<const MixerList*> plans = {&list_};
    for (const MixerList& list : higher_) plans.push_back(&list);
    return plans;
  }

  static MixerList with_last(MixerList list, const Mixer& last) {
    list.back() = &last;
    return list;
  }

  const Model& model_;
  MixerSet mixers_;
  const Watched last_;
  const MixerList list_;
  const std::vector<MixerList> higher_;
  Engine engine_;
  Server server_;
  std::thread compute_;
};

}  // namespace layerboost
