#include "heal/heal_text.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "eval/self_text.h"
#include "heal/token_text.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

using Sequences = std::vector<std::vector<TokenId>>;

/// Token files cut into sequences, counted through.
class Cuts {
 public:
  Cuts(const Model& model, const std::vector<std::string>& files, int length)
      : length_(static_cast<std::size_t>(length)) {
    std::size_t tokens = 0;
    std::string hashes;
    for (const std::string& file : files) {
      texts_.push_back(read_token_text(model, file));
      tokens += texts_.back().tokens.size();
      hashes += texts_.back().hash;
      first_.push_back(count_);
      count_ += static_cast<std::int64_t>(texts_.back().tokens.size() / length_);
    }
    hash_ = "sha256:" + sha256(hashes);
    if (count_ == 0)
      fail("{} has {} tokens of text: one sequence needs {} (`length`)", fmt::join(files, ", "), tokens, length);
  }

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] const std::string& hash() const { return hash_; }
  [[nodiscard]] std::vector<TokenId> at(std::int64_t i) const {
    const auto text = static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), i) - first_.begin() - 1);
    const auto tokens = texts_[text].tokens.subspan(static_cast<std::size_t>(i - first_[text]) * length_, length_);
    return {tokens.begin(), tokens.end()};
  }
  /// `wanted` sequences spread evenly over first .. count - 1.
  [[nodiscard]] Sequences spread(std::int64_t first, int wanted) const {
    Sequences result;
    const std::int64_t all = count_ - first, taken = std::min<std::int64_t>(wanted, all);
    for (std::int64_t i = 0; i < taken; ++i) result.push_back(at(first + i * all / taken));
    return result;
  }

 private:
  std::size_t length_;
  std::vector<TokenText> texts_;
  std::vector<std::int64_t> first_;  // the number of each text's first sequence
  std::int64_t count_ = 0;
  std::string hash_;
};

std::string names_of(const std::vector<std::string>& files) {
  std::vector<std::string> names;
  for (const std::string& file : files) names.push_back(fs::path(file).filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

class FileText final : public HealText {
 public:
  FileText(const Model& model, const HealTextOptions& options)
      : cuts_(model, options.files, options.length), size_(cuts_.count()), random_(options.seed) {
    name_ = names_of(options.files);
    hash_ = cuts_.hash();
    if (options.valid.empty()) {
      size_ -= std::max<std::int64_t>(1, cuts_.count() / 100);
      if (size_ < 1)
        fail("{} has one sequence of {} tokens and one is held out: give more text, `valid` FILE or a smaller `length`",
             name_, options.length);
      held_out_ = cuts_.spread(size_, options.held_out);
      held_out_name_ = "the last 1 % of " + name_;
    } else {
      const Cuts valid(model, {options.valid}, options.length);
      held_out_ = valid.spread(0, options.held_out);
      held_out_name_ = names_of({options.valid});
      hash_ = "sha256:" + sha256(hash_ + valid.hash());
    }
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }

  std::vector<TokenId> sequence(std::int64_t i) override {
    const std::int64_t pass = i / size_;
    if (pass != pass_) {
      order_.resize(static_cast<std::size_t>(size_));
      std::iota(order_.begin(), order_.end(), std::int64_t{0});
      Random random = random_.fork(static_cast<std::uint64_t>(pass));
      for (std::size_t j = order_.size(); j > 1; --j) std::swap(order_[j - 1], order_[random.below(j)]);
      pass_ = pass;
    }
    return cuts_.at(order_[static_cast<std::size_t>(i % size_)]);
  }

 private:
  Cuts cuts_;
  std::int64_t size_;
  Random random_;
  std::int64_t pass_ = -1;
  std::vector<std::int64_t> order_;  // of this pass
};

/// Text that the model writes, in parts of their own seeds, each written when it is asked for first.
class SelfText final : public HealText {
 public:
  SelfText(const Model& model, const HealTextOptions& options)
      : options_(options),
        mixers_(model),
        subject_(model, mixers_.list(native_specs(model.config))),
        size_(std::max<std::int64_t>(1, options.wanted)) {
    name_ = "self";
    if (options.valid.empty()) {
      held_out_ = self_text(subject_, {options.held_out, options.length, seed_of(-1)});
      held_out_name_ = "self";
    } else {
      held_out_ = Cuts(model, {options.valid}, options.length).spread(0, options.held_out);
      held_out_name_ = names_of({options.valid});
    }
    hash_ = "sha256:" + sha256(fmt::format("{} self {} {}", model.hash, options.seed, options.length));
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }

  std::vector<TokenId> sequence(std::int64_t i) override {
    const std::int64_t within = i % size_, part = within / self_text_part;
    if (part != part_) {
      texts_ = self_text(subject_, {self_text_part, options_.length, seed_of(part)});
      part_ = part;
    }
    return texts_[static_cast<std::size_t>(within % self_text_part)];
  }

 private:
  [[nodiscard]] std::uint64_t seed_of(std::int64_t part) const {
    return Random(options_.seed).fork(static_cast<std::uint64_t>(part + 1)).next() >> 16;
  }

  HealTextOptions options_;
  MixerSet mixers_;
  Subject subject_;
  std::int64_t size_;
  std::int64_t part_ = -1;
  Sequences texts_;
};

}  // namespace

std::unique_ptr<HealText> open_heal_text(const Model& model, const HealTextOptions& options) {
  const bool self = std::find(options.files.begin(), options.files.end(), "self") != options.files.end();
  if (self && options.files.size() > 1) fail("`text` self stands alone: it can't be mixed with files");
  if (options.length > model.config.max_positions)
    fail("`length` {}: the model has only {} positions", options.length, model.config.max_positions);
  if (self) return std::make_unique<SelfText>(model, options);
  return std::make_unique<FileText>(model, options);
}

}  // namespace layerboost
