#include "heal/heal_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/random.h"
#include "eval/retrieval.h"
#include "eval/self_text.h"
#include "eval/text_data.h"
#include "generate/bos.h"
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
    hash_ = content_hash(hashes);
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
      hash_ = content_hash(hash_ + valid.hash());
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

/// Held-out sequences of the user's file, where one is given.
bool take_valid(const Model& model, const HealTextOptions& options, Sequences& held_out, std::string& name) {
  if (options.valid.empty()) return false;
  held_out = Cuts(model, {options.valid}, options.length).spread(0, options.held_out);
  name = names_of({options.valid});
  return true;
}

/// Text that the model writes, in parts of their own seeds, each written when it is asked for first.
class SelfText final : public HealText {
 public:
  SelfText(const Model& model, const HealTextOptions& options, bool chat)
      : options_(options),
        chat_(chat),
        mixers_(model),
        subject_(model, mixers_.list(native_specs(model.config))),
        size_(std::max<std::int64_t>(1, options.wanted)) {
    name_ = chat ? "chat" : "self";
    if (!take_valid(model, options, held_out_, held_out_name_)) {
      held_out_ = self_text(subject_, {options.held_out, options.length, seed_of(-1), chat});
      held_out_name_ = name_;
    }
    hash_ = content_hash(fmt::format("{} {} {} {}", model.hash, name_, options.seed, options.length));
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }

  std::vector<TokenId> sequence(std::int64_t i) override {
    const std::int64_t within = i % size_, part = within / self_text_part;
    if (part != part_) {
      const std::int64_t count = std::min<std::int64_t>(self_text_part, size_ - part * self_text_part);
      texts_ = self_text(subject_, {static_cast<int>(count), options_.length, seed_of(part), chat_});
      part_ = part;
    }
    return texts_[static_cast<std::size_t>(within % self_text_part)];
  }

 private:
  [[nodiscard]] std::uint64_t seed_of(std::int64_t part) const {
    return Random(options_.seed).fork(static_cast<std::uint64_t>(part + 1)).next() >> 16;
  }

  HealTextOptions options_;
  const bool chat_;
  MixerSet mixers_;
  Subject subject_;
  std::int64_t size_;
  std::int64_t part_ = -1;
  Sequences texts_;
};

/// Facts and questions, each sequence of a seed of its own.
class FactsText final : public HealText {
 public:
  /// `files`: whose text is the filler.
  FactsText(const Model& model, const HealTextOptions& options, const std::vector<std::string>& files)
      : model_(model),
        length_(options.length),
        random_(options.seed),
        size_(std::max<std::int64_t>(1, options.wanted)) {
    constexpr std::size_t filler_bytes = std::size_t{4} << 20;
    std::string hashes;
    for (const std::string& file : files) {
      const TextData data = read_text(file);
      FillerText pieces = filler_of(data.text, filler_bytes / files.size());
      filler_.insert(filler_.end(), pieces.begin(), pieces.end());
      hashes += data.hash;
    }
    if (filler_.empty()) filler_ = repeated_filler();
    name_ = "facts";
    if (!take_valid(model, options, held_out_, held_out_name_)) {
      for (int i = 0; i < options.held_out; ++i) held_out_.push_back(make(-1 - i));
      held_out_name_ = name_;
    }
    hash_ = content_hash(fmt::format("{} facts {} {} {}", model.hash, options.seed, options.length, hashes));
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }
  std::vector<TokenId> sequence(std::int64_t i) override { return make(i); }

 private:
  [[nodiscard]] std::vector<TokenId> make(std::int64_t number) const {
    const std::uint64_t seed = random_.fork(static_cast<std::uint64_t>(number)).next();
    return retrieval_text(model_.text(), filler_, length_, seed, bos_token(model_.text(), BosMode::automatic));
  }

  const Model& model_;
  const int length_;
  const Random random_;
  const std::int64_t size_;
  FillerText filler_;
};

/// Sources by turns, each as often as its weight says.
class Mixture final : public HealText {
 public:
  struct Part {
    std::unique_ptr<HealText> text;
    double weight;  // the sum of all is 1
  };

  explicit Mixture(std::vector<Part> parts) : parts_(std::move(parts)), taken_(parts_.size()) {
    std::string hashes;
    std::vector<std::string> names, held_out_names;
    for (const Part& part : parts_) {
      size_ = std::max(size_, static_cast<std::int64_t>(static_cast<double>(part.text->size()) / part.weight));
      names.push_back(fmt::format("{:.0f} % {}", 100 * part.weight, part.text->name()));
      held_out_names.push_back(part.text->held_out_name());
      hashes += fmt::format("{} {} ", part.text->hash(), part.weight);
      held_out_.insert(held_out_.end(), part.text->held_out().begin(), part.text->held_out().end());
    }
    held_out_names.erase(std::unique(held_out_names.begin(), held_out_names.end()), held_out_names.end());
    name_ = fmt::format("{}", fmt::join(names, ", "));
    held_out_name_ = fmt::format("{}", fmt::join(held_out_names, ", "));
    hash_ = content_hash(hashes);
  }

  [[nodiscard]] std::int64_t size() const override { return size_; }

  std::vector<TokenId> sequence(std::int64_t i) override {
    while (std::ssize(turns_) <= i) turns_.push_back(next());
    const auto [part, number] = turns_[static_cast<std::size_t>(i)];
    return parts_[part].text->sequence(number);
  }

 private:
  struct Turn {
    std::size_t part;
    std::int64_t number;  // of the part's own sequences
  };

  /// The part that is furthest behind its share.
  Turn next() {
    const auto after = static_cast<double>(turns_.size() + 1);
    std::size_t best = 0;
    const auto behind = [&](std::size_t p) { return parts_[p].weight * after - static_cast<double>(taken_[p]); };
    for (std::size_t p = 1; p < parts_.size(); ++p)
      if (behind(p) > behind(best)) best = p;
    return {best, taken_[best]++};
  }

  std::vector<Part> parts_;
  std::vector<std::int64_t> taken_;
  std::vector<Turn> turns_;
  std::int64_t size_ = 1;
};

/// One of `text`, without its weight.
struct Source {
  std::string name;
  std::optional<double> weight;

  [[nodiscard]] bool is_file() const { return name != "self" && name != "chat" && name != "facts"; }
};

Source parse_source(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || fs::exists(text)) return {text, std::nullopt};
  double weight = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, weight);
  if (error != std::errc() || rest != end) return {text, std::nullopt};
  if (!(weight > 0) || !std::isfinite(weight)) fail("`text` {}: a weight is a number greater than 0", text);
  return {text.substr(0, colon), weight};
}

std::vector<Source> parse_sources(const std::vector<std::string>& texts) {
  std::vector<Source> sources;
  for (const std::string& text : texts) {
    const Source& source = sources.emplace_back(parse_source(text));
    if (source.weight.has_value() != sources.front().weight.has_value())
      fail("`text` {}: give each source a weight or none, as in book.txt:0.7,self:0.3", text);
  }
  return sources;
}

std::unique_ptr<HealText> open_source(const Model& model, HealTextOptions options, const Source& source,
                                      const std::vector<std::string>& files) {
  options.files = {source.name};
  if (source.name == "facts") return std::make_unique<FactsText>(model, options, files);
  if (source.is_file()) return std::make_unique<FileText>(model, options);
  return std::make_unique<SelfText>(model, options, source.name == "chat");
}

}  // namespace

std::vector<std::string> files_of(const std::vector<std::string>& sources) {
  std::vector<std::string> files;
  for (const Source& source : parse_sources(sources))
    if (source.is_file()) files.push_back(source.name);
  return files;
}

std::unique_ptr<HealText> open_heal_text(const Model& model, const HealTextOptions& options) {
  if (options.length > model.config.max_positions)
    fail("`length` {}: the model has only {} positions", options.length, model.config.max_positions);
  const std::vector<Source> sources = parse_sources(options.files);
  const std::vector<std::string> files = files_of(options.files);
  if (sources.front().weight) {
    double weights = 0;
    for (const Source& source : sources) weights += *source.weight;
    std::vector<Mixture::Part> parts;
    HealTextOptions part = options;
    for (const Source& source : sources) {
      const double share = *source.weight / weights;
      part.held_out = std::max(1, static_cast<int>(std::lround(share * options.held_out)));
      part.wanted = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(options.wanted))) + 1;
      parts.push_back({open_source(model, part, source, files), share});
    }
    return std::make_unique<Mixture>(std::move(parts));
  }
  if (files.size() == options.files.size()) return std::make_unique<FileText>(model, options);
  if (sources.size() > 1)
    fail("`text` {}: to mix it with others, give each a weight, as in book.txt:0.7,self:0.3",
         fmt::join(options.files, ","));
  return open_source(model, options, sources.front(), {});
}

}  // namespace layerboost
