#include "layerboost/engine.h"

#include <utility>

#include "engine/engine.h"
#include "library/call.h"
#include "library/model_impl.h"

namespace layerboost {

class ServingEngine::Impl {
 public:
  Impl(const LanguageModel::Impl& model, const ServingOptions& options)
      : threads(model.threads), engine(*model.opened.model, model.mixers, EngineOptions{options}) {}

  const int threads;
  Engine engine;
};

ServingEngine::ServingEngine(const LanguageModel& model, const ServingOptions& options)
    : impl_(call([&] { return std::make_unique<Impl>(*model.impl_, options); })) {}
ServingEngine::~ServingEngine() = default;

RequestId ServingEngine::submit(GenerationRequest request, Sink sink) {
  return call([&] { return impl_->engine.submit(std::move(request), std::move(sink)); });
}

void ServingEngine::cancel(RequestId id) { impl_->engine.cancel(id); }

bool ServingEngine::step() {
  const ThreadsOfCall threads(impl_->threads);
  return impl_->engine.step();
}

void ServingEngine::run() {
  const ThreadsOfCall threads(impl_->threads);
  impl_->engine.run();
}

void ServingEngine::stop() { impl_->engine.stop(); }

ServingStats ServingEngine::stats() const {
  const EngineStats stats = impl_->engine.stats();
  return {stats.waiting, stats.running, stats.cache_limit, stats.cache_used()};
}

}  // namespace layerboost
