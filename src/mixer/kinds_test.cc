// What must hold of every kind's descriptor: it is complete, it agrees with the mixer that it makes, and nothing in it
// is another kind's.
#include "mixer/kinds.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/error_for_tests.h"
#include "mixer/attention_block.h"
#include "mixer/descriptor.h"
#include "mixer/model_for_tests.h"
#include "mixer/training.h"

namespace layerboost {
namespace {

using testing::HasSubstr;

/// A spec of the kind whose numbers differ.
MixerSpec some_spec(const MixerDescriptor& kind) {
  MixerSpec spec = {kind.kind, 0, 0};
  int number = 70;
  for (const SpecField& field : kind.fields) spec.*field.value = std::max(field.least, number /= 5);
  if (kind.full_heads) spec.full = set_of_head(1);
  return spec;
}

class Kinds : public testing::TestWithParam<const MixerDescriptor*> {
 protected:
  const MixerDescriptor& kind_ = *GetParam();
  const MixerSpec spec_ = some_spec(kind_);
  const std::unique_ptr<Model> model_ = random_model(Precision::f32);
  const Config& config_ = model_->config;

  [[nodiscard]] std::unique_ptr<Mixer> mixer() const {
    return kind_.make({*model_, 0, KvType::bf16}, spec_, std::vector<float>(parameter_count(config_, spec_)));
  }
};

TEST_P(Kinds, AreFoundByTheirValue) {
  EXPECT_EQ(&descriptor_of(kind_.kind), &kind_);
  EXPECT_EQ(mixer_descriptors()[static_cast<std::size_t>(kind_.kind)], &kind_);
}

TEST_P(Kinds, AreReadAsTheyAreWritten) {
  EXPECT_EQ(parse_mixer(to_string(spec_)), spec_) << to_string(spec_);
  EXPECT_TRUE(to_string(spec_).starts_with(kind_.name));
  MixerSpec least = {.kind = kind_.kind};
  for (const SpecField& field : kind_.fields) least.*field.value = field.least;
  EXPECT_EQ(parse_mixer(to_string(least)), least) << to_string(least);
  EXPECT_TRUE(std::string(kind_.grammar).starts_with(kind_.name));
  for (const SpecField& field : kind_.fields)
    EXPECT_TRUE(std::ranges::any_of(spec_fields(), [&](const SpecField& known) { return known.value == field.value; }));
}

TEST_P(Kinds, HaveParametersThatBeginSomewhere) {
  std::set<std::string> names;
  for (const ParameterShape& shape : parameter_shapes(config_, spec_)) {
    EXPECT_TRUE(names.insert(shape.name).second) << shape.name;
    EXPECT_GT(shape.count(), 0U) << shape.name;
  }
  EXPECT_EQ(kind_.parameter_shapes != nullptr, kind_.fitted_map || kind_.initial_parameters != nullptr);
  if (kind_.fitted_map) {
    const auto shapes = parameter_shapes(config_, spec_);
    ASSERT_EQ(shapes.size(), 2U);
    EXPECT_EQ(shapes[0].shape, (std::vector<std::int64_t>{config_.hidden, config_.hidden}));
    EXPECT_EQ(shapes[1].shape, (std::vector<std::int64_t>{config_.hidden}));
  } else {
    EXPECT_EQ(initial_parameters(config_, spec_).size(), parameter_count(config_, spec_));
  }
}

TEST_P(Kinds, AreTrainedUnlessNothingLearns) {
  if (kind_.make_core == nullptr) {
    EXPECT_TRUE(kind_.fitted_map || spec_ == no_mixer);
    EXPECT_FALSE(has_attention(kind_.kind));
    return;
  }
  EXPECT_FALSE(kind_.fitted_map);
  const auto core = make_core(*model_, 0, spec_);
  EXPECT_EQ(core->parameters().size(), parameter_count(config_, spec_));
}

TEST_P(Kinds, MakeTheMixerThatTheyDescribe) {
  const auto made = mixer();
  EXPECT_EQ(made->name(), to_string(spec_));
  EXPECT_EQ(made->has_attention(), has_attention(kind_.kind));
  EXPECT_EQ(made->account(), kind_.account);
  EXPECT_EQ(made->account().has_value(), made->cache_bytes(1000) > 0);
}

TEST_P(Kinds, UseProjectionsOfTheirOwn) {
  if (!has_attention(kind_.kind)) return;
  const std::vector<float> before(3 * static_cast<std::size_t>(config_.hidden), 1.0F);
  const auto after = [&](const OwnProjections* own) {
    const auto made =
        kind_.make({*model_, 0, KvType::bf16, own}, spec_, std::vector<float>(parameter_count(config_, spec_), 0.5F));
    CachePools pools;
    LayerCache cache{&pools, {}};
    const MixerSpan span{0, 3, 0, &cache};
    Workspace workspace(model_->rope());
    workspace.rope.grow(3);
    std::vector<float> hidden = before;
    made->forward({hidden.data(), {}, {&span, 1}, 3}, workspace);
    return hidden;
  };
  const auto zeros = [](int out, int in) {
    return PackedMatrix(out, in, Precision::f32, [&](std::int64_t /*first*/, std::int64_t count, float* rows) {
      std::fill_n(rows, count * in, 0.0F);
    });
  };
  OwnProjections values, output;
  values.qkv = zeros(config_.q_size() + 2 * config_.kv_size(), config_.hidden);
  output.o = zeros(config_.hidden, config_.q_size());
  EXPECT_NE(after(nullptr), before);
  EXPECT_EQ(after(&values), before);
  EXPECT_EQ(after(&output), before);
}

TEST_P(Kinds, KeepWhatTheirCostLawSays) {
  const auto made = mixer();
  // A page is whole, and its heads are padded; sinks and the ring end in one each.
  const std::size_t page = AttentionBlock({*model_, 0}).layout(page_slots).bytes();
  for (const int length : {0, 1, 13, 14, 15, 16, 17, 64, 65, 500}) {
    const std::size_t allocated = made->cache_bytes(length);
    EXPECT_LE(kv_bytes(config_, spec_, length, sizeof(float)), allocated) << length;
    const auto G = static_cast<std::size_t>(config_.kv_heads);
    const auto positions = static_cast<std::size_t>(kind_.cost.positions(spec_, config_.kv_heads, length));
    const std::size_t law = positions * page / (page_slots * G) + kind_.cost.state_bytes(config_, spec_, length);
    EXPECT_LE(law, allocated) << length;
    EXPECT_LE(allocated, law + 2 * page) << length;
    EXPECT_EQ(made->rewritten_bytes(length), kind_.cost.state_bytes(config_, spec_, length)) << length;
  }
  EXPECT_EQ(kind_.cost.name == nullptr, spec_ == no_mixer);
}

TEST_P(Kinds, KeepAStateOfOneSizeOrNone) {
  const int window = spec_.window + spec_.sinks;
  std::size_t before = 0;
  for (const int length : {0, 1, std::max(1, window), window + 1, 500, 100'000}) {
    const std::size_t bytes = kind_.cost.state_bytes(config_, spec_, length);
    if (before > 0) {
      EXPECT_EQ(bytes, before) << length;
    }
    before = bytes;
  }
  EXPECT_EQ(before == 0, kind_.cost.state_bytes == no_state);
}

TEST_P(Kinds, SayWhetherAttentionIsWholeOrGone) {
  EXPECT_EQ(sees_everything(kind_.kind), spec_ == full_attention);
  EXPECT_EQ(removes_attention(kind_.kind), spec_ == no_mixer);
  EXPECT_STREQ(exported_layer_type(spec_), spec_.full == 0 ? kind_.exported.layer_type : "full_attention");
}

TEST_P(Kinds, TellThePageTheSameLaw) {
  const std::string keeps = kind_.page.keeps;
  const int window = spec_.window + spec_.sinks;
  for (const int length : {0, 1, window, window + 1, 500}) {
    int kept = 0;
    for (int head = 0; head < config_.kv_heads; ++head) {
      const bool all = keeps == "all" || (keeps == "window" && has_head(spec_.full, head));
      kept += all ? length : keeps == "window" ? std::min(length, window) : 0;
    }
    EXPECT_EQ(kind_.cost.positions(spec_, config_.kv_heads, length), kept) << length;
  }
  EXPECT_EQ(keeps == "nothing", kind_.cost.positions(spec_, config_.kv_heads, 500) == 0);
  EXPECT_EQ(std::string(kind_.page.name).find("{window}") != std::string::npos, has_window(kind_.kind));
  for (const char* words : {kind_.page.letter, kind_.page.name, kind_.page.does, kind_.page.style,
                            kind_.exported.layer_type, kind_.exported.meaning, kind_.terminal.color})
    EXPECT_FALSE(std::string(words).empty());
}

INSTANTIATE_TEST_SUITE_P(All, Kinds, testing::ValuesIn(mixer_descriptors().begin(), mixer_descriptors().end()),
                         [](const auto& kind) { return std::string(kind.param->name); });

TEST(AllKinds, AreReadWithTheirVariants) {
  for (const MixerDescriptor* kind : mixer_descriptors()) {
    for (unsigned variants = 1; variants < 1U << kind->variants.size(); ++variants) {
      MixerSpec spec = {.kind = kind->kind};
      spec.variants = static_cast<VariantSet>(variants);
      EXPECT_EQ(parse_mixer(to_string(spec)), spec) << to_string(spec);
      std::size_t count = 0;
      for (const ParameterShape& shape : parameter_shapes(test::small_config(), spec)) count += shape.count();
      EXPECT_EQ(initial_parameters(test::small_config(), spec).size(), count) << to_string(spec);
    }
  }
  EXPECT_EQ(to_string(parse_mixer("dual_state:norm+x")), "dual_state:x+norm");
  EXPECT_THAT(test::error_of([] { parse_mixer("dual_state:y"); }),
              HasSubstr("dual_state has no variant \"y\"; there are: x, one, norm, short"));
  EXPECT_THAT(test::error_of([] { parse_mixer("dual_state:x+x"); }), HasSubstr("the variant x is named twice"));
  EXPECT_THAT(test::error_of([] { parse_mixer("window:8:x"); }), HasSubstr("unknown mixer"));
}

TEST(AllKinds, ShareNoNameAndNoLetter) {
  std::set<std::string> names, cost_names, page_letters, colors;
  std::set<char> letters = {'+'};  // of windows beyond the ninth
  for (const MixerDescriptor* kind : mixer_descriptors()) {
    EXPECT_TRUE(names.insert(kind->name).second) << kind->name;
    EXPECT_TRUE(page_letters.insert(kind->page.letter).second) << kind->name;
    EXPECT_TRUE(colors.insert(kind->terminal.color).second) << kind->name;
    if (kind->cost.name != nullptr) {
      EXPECT_TRUE(cost_names.insert(kind->cost.name).second) << kind->name;
    }
    const std::string own = kind->terminal.letters;
    EXPECT_EQ(own.size(), has_window(kind->kind) ? 2U : 1U) << kind->name;
    for (const char letter : own) EXPECT_TRUE(letters.insert(letter).second) << kind->name;
  }
}

TEST(AllKinds, AreNamedByTheNumbersThatTheyHave) {
  EXPECT_EQ(kinds_with(window_field, "and"), "window, hybrid and gated");
  EXPECT_EQ(kinds_with(sinks_field, "or"), "window or hybrid");
}

}  // namespace
}  // namespace layerboost
