#include "engine/throughput.h"

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class Throughput : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
};

TEST_F(Throughput, MeasuresTheEngine) {
  const MixerList& mixers = mixers_.list(specs({"softmax", "window:16+3", "none", "softmax"}));
  const ThroughputRow row = run_throughput(*model_, mixers, 3, 40, 5, 16);
  EXPECT_GT(row.prompt_seconds, 0);
  EXPECT_GT(row.generate_seconds, 0);
  EXPECT_GE(row.cache_bytes, 3 * sequence_bytes(mixers, 45));
  EXPECT_GT(row.rss_bytes, row.cache_bytes);
  // The hidden states of a step's rows are part of it.
  EXPECT_GT(row.scratch_bytes, 16 * static_cast<std::size_t>(model_->config.hidden) * sizeof(float));
  for (const StepTimes& times : {row.prompt_times, row.generate_times})
    for (const StepPhase phase : StepTimes::all()) EXPECT_GT(times.seconds(phase), 0) << name_of(phase);
  EXPECT_GE(row.runs, 1);
  EXPECT_NEAR(row.generate_times.total(), row.runs * row.generate_seconds, row.runs * row.generate_seconds / 2);
}

TEST_F(Throughput, HasTheColumnsOfLlamaBatchedBench) {
  const Json json = ThroughputRow{.batch = 2,
                                  .prompt = 100,
                                  .generate = 10,
                                  .runs = 3,
                                  .prompt_seconds = 4,
                                  .generate_seconds = 5,
                                  .cache_bytes = 6,
                                  .rss_bytes = 7}
                        .to_json();
  EXPECT_EQ(json.dump(),
            R"({"pp":100,"tg":10,"pl":2,"n_kv":220,"t_pp":4.0,"speed_pp":50.0,"t_tg":5.0,"speed_tg":4.0,"t":9.0,)"
            R"("speed":24.444444444444443,"cache_bytes":6,"rss_bytes":7,"runs":3})");
}

TEST_F(Throughput, RefusesMoreThanFits) {
  const MixerList& mixers = mixers_.list(native_specs(model_->config));
  EXPECT_THROW(run_throughput(*model_, mixers, 1, 512, 1, 64), Error);
  EXPECT_THROW(run_throughput(*model_, mixers, 1 << 24, 1, 1, 64), Error);
}

}  // namespace
}  // namespace layerboost
