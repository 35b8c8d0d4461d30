// A mixer may attend with what earlier layers of its step offer: here with their queries and keys, and its own values.
#include "model/step_context.h"

#include <algorithm>
#include <cmath>

#include "mixer/attention_block.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

/// The attention weights of an earlier layer, of softmax, on this layer's own values.
class Borrowing final : public Mixer {
 public:
  Borrowing(const Model& model, int layer, int source)
      : config_(model.config), block_({model, layer, KvType::f32}), sources_{source} {}

  [[nodiscard]] std::string name() const override { return "borrowing"; }
  [[nodiscard]] bool has_attention() const override { return true; }
  [[nodiscard]] std::span<const int> sources() const override { return sources_; }
  [[nodiscard]] std::optional<CacheAccount> account() const override { return CacheAccount::softmax; }
  [[nodiscard]] std::size_t finished_bytes(int /*length*/) const override { return 0; }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& /*cache*/, int /*length*/) const override { return 0; }
  [[nodiscard]] std::size_t cache_bytes(int length) const override {
    return static_cast<std::size_t>((length + page_slots - 1) / page_slots) * layout().bytes();
  }
  void reserve(LayerCache& cache, int length) const override {
    while (std::ssize(cache.blocks) * page_slots < length)
      cache.blocks.push_back(cache.pools->allocate(layout().bytes()));
  }
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& /*cache*/, int /*length*/, int /*position*/,
                                                int /*head*/) const override {
    return {};
  }
  [[nodiscard]] bool fold(const Mixer& /*from*/, const LayerCache& /*cache*/, int /*length*/,
                          LayerCache& /*to*/) const override {
    return false;
  }

  void forward(const MixerRows& rows, Workspace& workspace) const override {
    const Projected projected = block_.project(rows, workspace);
    const int source = sources_.front();
    for (const MixerSpan& span : rows.spans) {
      reserve(*span.cache, span.position + span.count);
      for (int i = 0; i < span.count; ++i) {
        const int position = span.position + i;
        Block& page = span.cache->blocks[static_cast<std::size_t>(position / page_slots)];
        span.cache->pools->make_unique(page, layout().bytes());
        store_kv(layout(), page.get(), position % page_slots, 1, nullptr,
                 projected.v + static_cast<std::ptrdiff_t>(span.row + i) * config_.kv_size(), 0,
                 workspace.scratch.caller());
      }
      const int length = span.position + span.count;
      const Mixer& lender = *span.sequence->mixers()[static_cast<std::size_t>(source)];
      std::vector<KvSegment> segments;
      AttentionShape shape = {{}, layout(), config_.heads, 1.0F / std::sqrt(static_cast<float>(config_.head_size))};
      for (int first = 0; first < length; first += page_slots) {
        const std::optional<KvPlace> keys = lender.place_of(span.sequence->cache(source), length, first, 0);
        ASSERT_TRUE(keys && keys->slot == 0);
        shape.keys = keys->layout;
        segments.push_back({keys->block, page_slots, std::min(page_slots, length - first), first, nullptr, false,
                            span.cache->blocks[segments.size()].get()});
      }
      const std::ptrdiff_t width = config_.q_size();
      const AttentionTask task = {workspace.step.queries(source) + rows.step_row(span) * width,
                                  projected.output + span.row * width,
                                  span.count,
                                  span.position,
                                  0,
                                  segments};
      attention(shape, {&task, 1}, workspace.scratch);
    }
    block_.add_output(rows, projected, workspace);
  }

 private:
  [[nodiscard]] KvLayout layout() const {
    return {KvType::f32, config_.kv_heads, config_.head_size, page_slots, KvContent::values};
  }

  const Config& config_;
  AttentionBlock block_;
  std::vector<int> sources_;
};

/// Another mixer, and what it is shown before it works.
class Watched final : public Mixer {
 public:
  using See = std::function<void(const MixerRows& rows, Workspace& workspace)>;
  Watched(const Mixer& mixer, See see) : mixer_(mixer), see_(std::move(see)) {}
  [[nodiscard]] std::string name() const override { return mixer_.name(); }
  [[nodiscard]] bool has_attention() const override { return mixer_.has_attention(); }
  [[nodiscard]] std::span<const int> sources() const override { return mixer_.sources(); }
  [[nodiscard]] std::optional<CacheAccount> account() const override { return mixer_.account(); }
  [[nodiscard]] std::size_t finished_bytes(int length) const override { return mixer_.finished_bytes(length); }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const override {
    return mixer_.bytes_to_copy(cache, length);
  }
  [[nodiscard]] std::size_t cache_bytes(int length) const override { return mixer_.cache_bytes(length); }
  void reserve(LayerCache& cache, int length) const override { mixer_.reserve(cache, length); }
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override {
    return mixer_.place_of(cache, length, position, head);
  }
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override {
    return mixer_.fold(from, cache, length, to);
  }
  void forward(const MixerRows& rows, Workspace& workspace) const override {
    see_(rows, workspace);
    mixer_.forward(rows, workspace);
  }

 private:
  const Mixer& mixer_;
  See see_;
};

class Step : public testing::Test {
 protected:
  /// softmax, but for layer 3, which borrows from layer 1.
  [[nodiscard]] MixerList borrowing() {
    MixerList list = plain_;
    list[3] = &borrowing_;
    return list;
  }
  [[nodiscard]] std::size_t hidden_size() const { return static_cast<std::size_t>(model_->config.hidden); }

  const std::unique_ptr<Model> model_ = random_model(Precision::f32);
  const Config& config_ = model_->config;
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const MixerList& plain_ = mixers_.list(specs({"softmax", "softmax", "softmax", "softmax"}));
  const Borrowing borrowing_{*model_, 3, 1};
  const std::vector<TokenId> tokens_ = random_tokens(150, 96);
  Runner runner_{*model_};
  CachePools pools_;
};

/// sum_j softmax_j(q_i k_j / sqrt(d)) v_j over j <= i, all [length, heads, d], in double.
std::vector<float> attended(const Config& config, int length, const float* q, const float* k, const float* v) {
  const int H = config.heads, G = config.kv_heads, d = config.head_size;
  std::vector<float> out(static_cast<std::size_t>(length * H * d));
  for (int i = 0; i < length; ++i) {
    for (int n = 0; n < H; ++n) {
      const int g = n / (H / G);
      std::vector<double> sums(static_cast<std::size_t>(d));
      double total = 0;
      for (int j = 0; j <= i; ++j) {
        double score = 0;
        for (int c = 0; c < d; ++c)
          score += static_cast<double>(q[(i * H + n) * d + c]) * static_cast<double>(k[(j * G + g) * d + c]);
        const double p = std::exp(score / std::sqrt(d));
        total += p;
        for (int c = 0; c < d; ++c)
          sums[static_cast<std::size_t>(c)] += p * static_cast<double>(v[(j * G + g) * d + c]);
      }
      for (int c = 0; c < d; ++c)
        out[static_cast<std::size_t>((i * H + n) * d + c)] =
            static_cast<float>(sums[static_cast<std::size_t>(c)] / total);
    }
  }
  return out;
}

TEST_F(Step, BorrowedWeightsAreThoseOfTheSource) {
  const int N = static_cast<int>(tokens_.size());
  Sequence plain(plain_, pools_);
  const BatchItem item{&plain, tokens_};
  std::vector<float> hidden(tokens_.size() * hidden_size());
  runner_.embed(tokens_, hidden.data());
  const MixerSpan span{0, N, 0, nullptr};
  const MixerRows rows{hidden.data(), {}, {&span, 1}, N};
  Workspace workspace(model_->rope());
  workspace.rope.grow(N);

  runner_.run_layers({&item, 1}, hidden.data(), 0, 1);
  const Projected source = AttentionBlock({*model_, 1}).project(rows, workspace);
  const std::vector<float> q(source.q, source.q + N * config_.q_size());
  const std::vector<float> k(source.k, source.k + N * config_.kv_size());
  runner_.run_layers({&item, 1}, hidden.data(), 1, 3);
  const AttentionBlock block({*model_, 3});
  const Projected own = block.project(rows, workspace);
  std::ranges::copy(attended(config_, N, q.data(), k.data(), own.v), own.output);
  block.add_output(rows, own, workspace);
  runner_.mlp(hidden.data(), N, 3);

  const MixerList list = borrowing();
  Sequence sequence(list, pools_);
  const BatchItem borrowing_item{&sequence, tokens_};
  const float* const got = runner_.forward({&borrowing_item, 1});
  for (std::size_t i = 0; i < hidden.size(); ++i) ASSERT_NEAR(got[i], hidden[i], 1e-4) << i;
}

TEST_F(Step, AnyCutGivesTheSame) {
  const MixerList list = borrowing();
  const std::vector<double> whole = token_log_probs(*model_, list, tokens_, 1000);
  const std::vector<double> plain = token_log_probs(*model_, plain_, tokens_, 1000);
  double change = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) change = std::max(change, std::fabs(whole[i] - plain[i]));
  EXPECT_GT(change, 0.1);
  for (const int chunk : {1, 2, 7, 64, 149}) {
    const std::vector<double> cut = token_log_probs(*model_, list, tokens_, chunk);
    for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(cut[i], whole[i], 2e-4) << chunk << ": " << i;
  }
}

TEST_F(Step, AnyCompanyGivesTheSame) {
  // Rows of the borrowing sequences lie between others', whose layers 1 and 3 are others.
  const Borrowing from_first(*model_, 2, 0);
  const MixerList one = borrowing();
  MixerList other = mixers_.list(specs({"softmax", "window:16+3", "none", "softmax"}));
  other[2] = &from_first;
  const MixerList& none = mixers_.list(specs({"window:5", "none", "map", "window:16+3"}));
  const MixerList* const lists[] = {&none, &one, &plain_, &one, &other};
  const auto last_row = [&](const float* hidden, std::size_t row) {
    return std::vector<float>(hidden + (row - 1) * hidden_size(), hidden + row * hidden_size());
  };
  std::vector<std::vector<TokenId>> tokens;
  std::vector<std::vector<float>> alone;
  std::vector<Sequence> sequences;
  for (const MixerList* const list : lists) {
    tokens.push_back(random_tokens(90 + static_cast<int>(tokens.size()), 96, 5 + tokens.size()));
    Sequence sequence(*list, pools_);
    const BatchItem item{&sequence, tokens.back()};
    alone.push_back(last_row(runner_.forward({&item, 1}), tokens.back().size()));
    sequences.emplace_back(*list, pools_);
  }
  for (const std::size_t end : {40U, 41U, 0U}) {
    std::vector<BatchItem> items;
    std::size_t rows = 0;
    std::vector<std::size_t> ends;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto begin = static_cast<std::size_t>(sequences[i].length());
      items.push_back(
          {&sequences[i], std::span(tokens[i]).subspan(begin, (end == 0 ? tokens[i].size() : end) - begin)});
      ends.push_back(rows += items.back().tokens.size());
    }
    const float* const hidden = runner_.forward(items);
    for (std::size_t i = 0; end == 0 && i < tokens.size(); ++i) {
      const std::vector<float> got = last_row(hidden, ends[i]);
      for (std::size_t j = 0; j < got.size(); ++j) ASSERT_NEAR(got[j], alone[i][j], 2e-3) << "sequence " << i;
    }
  }
}

TEST_F(Step, QueriesAreKeptOfLayersThatSomebodyAsksFor) {
  std::vector<std::vector<int>> kept;  // of each step, when its last layer begins
  const Watched watched(*plain_[3], [&](const MixerRows& /*rows*/, Workspace& workspace) {
    kept.emplace_back();
    for (int layer = 0; layer < 4; ++layer)
      if (workspace.step.kept(layer) != nullptr) kept.back().push_back(layer);
  });
  const Borrowing from_second(*model_, 2, 1), from_first(*model_, 2, 0);
  MixerList plain = plain_;
  plain[3] = &watched;
  MixerList one = plain, other = plain;
  one[2] = &from_second;
  other[2] = &from_first;
  for (const std::vector<const MixerList*>& lists :
       {std::vector<const MixerList*>{&plain}, {&plain, &one}, {&one, &other, &one}, {&plain}}) {
    std::vector<Sequence> sequences;
    std::vector<BatchItem> items;
    for (const MixerList* const list : lists) sequences.emplace_back(*list, pools_);
    for (Sequence& sequence : sequences) items.push_back({&sequence, tokens_});
    runner_.forward(items);
    EXPECT_EQ(runner_.workspace().step.kept(0), nullptr);
    EXPECT_EQ(runner_.workspace().step.kept(1), nullptr);
  }
  EXPECT_EQ(kept, (std::vector<std::vector<int>>{{}, {1}, {0, 1}, {}}));
}

TEST_F(Step, APartnerIsFoundThroughTheSpanAndForksWithItsSequence) {
  const MixerList& beside = mixers_.list(specs({"window:16+3", "softmax", "hybrid:16+3", "none"}));
  const Watched watched(*plain_[2], [&](const MixerRows& rows, Workspace& /*workspace*/) {
    for (const MixerSpan& span : rows.spans) {
      ASSERT_NE(span.sequence->partner(), nullptr);
      EXPECT_EQ(&span.sequence->partner()->mixers(), &beside);
      EXPECT_EQ(span.sequence->partner()->length(), span.position + span.count);  // it reads first
    }
  });
  MixerList list = plain_;
  list[2] = &watched;
  list.partner = &beside;
  Runner partner_runner(*model_);
  const auto step = [&](Sequence& sequence, std::span<const TokenId> part) {
    const BatchItem first{sequence.partner(), part}, then{&sequence, part};
    const float* hidden = partner_runner.forward({&first, 1});
    std::vector<float> both(hidden, hidden + part.size() * hidden_size());
    hidden = runner_.forward({&then, 1});
    both.insert(both.end(), hidden, hidden + part.size() * hidden_size());
    return both;
  };
  const std::span<const TokenId> all = tokens_;
  Sequence straight(list, pools_), stem(list, pools_);
  step(straight, all.first(70));
  step(stem, all.first(70));
  const std::size_t before = pools_.bytes_in_use();
  Sequence fork = stem;
  EXPECT_EQ(pools_.bytes_in_use(), before);
  ASSERT_NE(fork.partner(), stem.partner());
  step(fork, all.subspan(100, 50));  // must not show in the stem
  EXPECT_EQ(fork.partner()->length(), 120);
  EXPECT_EQ(step(stem, all.subspan(70, 30)), step(straight, all.subspan(70, 30)));
  EXPECT_EQ(Sequence(plain_, pools_).partner(), nullptr);
}

}  // namespace
}  // namespace layerboost
