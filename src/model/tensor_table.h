// The tensors of one opened model, by their Hugging Face names, and the Checkpoint made of them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/checkpoint.h"

namespace layerboost {

class TensorTable {
 public:
  /// `where` names the model in messages: its path.
  explicit TensorTable(std::string where) : where_(std::move(where)) {}

  [[nodiscard]] const std::string& where() const { return where_; }
  /// Throws Error naming `file` when there is one of that name already.
  void add(const std::string& name, const std::string& file, Tensor tensor);
  /// Says why a tensor of the file can't be read ("has the type ..."), for who asks for it: most such tensors are ones
  /// that nobody needs.
  void add_unreadable(const std::string& name, const std::string& file, std::string why);
  /// Whether there is one of that name, be it one that can't be read.
  [[nodiscard]] bool has(const std::string& name) const {
    return entries_.contains(name) || unreadable_.contains(name);
  }
  /// See Checkpoint::tensor().
  [[nodiscard]] const Tensor& get(const std::string& name, const std::vector<std::int64_t>& shape) const;
  /// Throws Error for the first of for_each_tensor()'s that is missing or of another shape.
  void check(const Config& config) const;
  /// Says of q and k of all layers that the rows of a head lie in another order than RoPE has here: the first
  /// Config::rope.rotated have RoPE; where that is 0, all have it, and pairs lie side by side.
  void order_heads(const Config& config);
  /// What an exported model's layer has kept: all, where any tensor of its attention is there.
  [[nodiscard]] AttentionParts attention_of(int layer) const;
  /// See Checkpoint::hash().
  [[nodiscard]] std::string hash(const Config& config) const;

 private:
  struct Entry {
    std::string file;
    Tensor tensor;
  };
  std::string where_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, std::string> unreadable_;  // messages
};

/// Token ids that are known by their texts, beside those that the files name.
struct EndTokens {
  std::vector<int> more;   // that end a sequence, too
  std::vector<int> never;  // that don't, even if they are named or the tokenizer's EOS
};

/// A checkpoint of tensors that lie in `files`, with a way to get at its tokenizer. An exported model's
/// config.attention becomes what its tensors say. Windows as wide as the model's positions become what they
/// are for all texts that it reads (Config::longest_text()), full attention. Throws Error where configuration and
/// tensors don't fit. `files` may be empty when somebody else keeps the bytes. `ends` change config.eos. The hash is
/// that of what the files say: of the windows and end tokens that they name.
std::unique_ptr<Checkpoint> make_checkpoint(Config config, TensorTable tensors,
                                            std::function<TokenizerData()> tokenizer, std::vector<MappedFile> files,
                                            const EndTokens& ends = {});

}  // namespace layerboost
