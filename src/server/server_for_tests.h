// For tests: a server with a small model of random weights, on a free port of loopback.
#pragma once

#include <functional>
#include <thread>
#include <utility>

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
  /// `then`: happens after the last layer's mixer.
  explicit ServerForTests(ServerOptions options = {}, const EngineOptions& engine = {{.memory = std::size_t{64} << 20}},
                          std::function<void(const MixerRows&)> then = {})
      : mixers_(served_model()),
        last_(*mixers_.list(native_specs(served_model().config)).back(), std::move(then)),
        list_(with_last(mixers_.list(native_specs(served_model().config)), last_)),
        engine_(served_model(), list_, engine),
        server_(engine_, served_model(), list_, with_port(std::move(options))),
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
  static ServerOptions with_port(ServerOptions options) {
    options.port = 0;
    if (options.name.empty()) options.name = "tiny";
    if (options.chat_template.empty()) options.chat_template = chat_template_for_tests;
    return options;
  }

  static MixerList with_last(MixerList list, const Mixer& last) {
    list.back() = &last;
    return list;
  }

  MixerSet mixers_;
  const Watched last_;
  const MixerList list_;
  Engine engine_;
  Server server_;
  std::thread compute_;
};

}  // namespace layerboost
